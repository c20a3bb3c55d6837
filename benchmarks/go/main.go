// Command versus-boxo does on boxo what the Python benchmarks do, and prints one JSON object: name -> nanoseconds an
// item, or bytes an item.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

func main() {
	list := flag.Bool("list", false, "print the names of what can be measured, one a line, and nothing else")
	memory := flag.Bool("memory", false, "measure bytes an item in place of time; one name at a time")
	clock := flag.String("clock", "wall", "what is measured: wall, or cpu (processor time of all threads)")
	budget := flag.Duration("budget", 300*time.Millisecond, "time for the samples of an operation")
	flag.Parse()
	var err error
	switch {
	case *list:
		listNames(*memory)
	case *memory:
		err = measureMemory(flag.Args())
	default:
		err = measureTime(*clock, *budget, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "versus-boxo:", err)
		os.Exit(1)
	}
}

func operations() []operation {
	return slices.Concat(wireOperations(), servingOperations(), queueOperations(), wantlistOperations())
}

func listNames(memory bool) {
	if memory {
		for _, h := range holdings() {
			fmt.Println(h.name)
		}
		return
	}
	for _, op := range operations() {
		fmt.Println(op.name)
	}
}

// measureMemory wants one name: what was there before would be in the way.
func measureMemory(names []string) error {
	if len(names) != 1 {
		return fmt.Errorf("give one name with -memory, not %d", len(names))
	}
	bytes, err := bytesAnItem(names[0])
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{names[0]: bytes})
}

// measureTime measures the named operations, or all.
func measureTime(clock string, budget time.Duration, names []string) error {
	read, err := clockNamed(clock)
	if err != nil {
		return err
	}
	results := map[string]float64{}
	for _, op := range operations() {
		if len(names) == 0 || slices.Contains(names, op.name) {
			results[op.name] = measure(op, read, budget)
		}
	}
	for _, name := range names {
		if _, found := results[name]; !found {
			return fmt.Errorf("there is no operation %q", name)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(results)
}
