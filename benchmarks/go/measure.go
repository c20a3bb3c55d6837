package main

import (
	"fmt"
	"math"
	"runtime"
	"time"
)

const (
	sampleTime = 20 * time.Millisecond // a sample of an operation that repeats takes at least this long
	minSamples = 2
	maxSamples = 50
	maxAfresh  = 5                       // samples of an operation that needs a new state for each
	heavy      = 1500 * time.Millisecond // of an operation that takes longer, preparation included, one sample is enough
)

// operation is one thing that is timed. prepare is not; the run that it returns is, and returns how many items it
// handled. finish, if there is one, ends what prepare began.
type operation struct {
	name    string
	repeats bool // run leaves everything as it was
	prepare func() (run func() int, finish func())
}

// clock gives the time since some moment.
type clock func() time.Duration

func clockNamed(name string) (clock, error) {
	switch name {
	case "wall":
		began := time.Now()
		return func() time.Duration { return time.Since(began) }, nil
	case "cpu":
		return processorTime, nil
	}
	return nil, fmt.Errorf("no clock is called %q", name)
}

// measure gives the nanoseconds an item of the best sample: what disturbs a sample only adds to it.
func measure(op operation, read clock, budget time.Duration) float64 {
	best := math.Inf(1)
	began := time.Now()
	most := maxAfresh
	if op.repeats {
		most = maxSamples
	}
	for n := 0; n < most; n++ {
		spent := time.Since(began)
		if n >= minSamples && spent > budget || n > 0 && spent > heavy {
			break
		}
		best = min(best, sample(op, read))
	}
	return best
}

func sample(op operation, read clock) float64 {
	run, finish := op.prepare()
	if finish != nil {
		defer finish()
	}
	if op.repeats {
		run()
	}
	runtime.GC()
	items := 0
	began := read()
	for {
		items += run()
		took := read() - began
		if took >= sampleTime || !op.repeats {
			return float64(took.Nanoseconds()) / float64(items)
		}
	}
}
