// Command versus-boxo times the operations of the Python benchmarks on boxo, and prints one JSON object:
// operation -> nanoseconds an item.
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
	list := flag.Bool("list", false, "print the names of the operations, one a line, and nothing else")
	clock := flag.String("clock", "wall", "what is measured: wall, or cpu (processor time of all threads)")
	budget := flag.Duration("budget", 300*time.Millisecond, "time for the samples of an operation")
	flag.Parse()
	if err := run(*list, *clock, *budget, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "versus-boxo:", err)
		os.Exit(1)
	}
}

// run measures the named operations, or all.
func run(list bool, clock string, budget time.Duration, names []string) error {
	read, err := clockNamed(clock)
	if err != nil {
		return err
	}
	operations := slices.Concat(wireOperations(), engineOperations(), queueOperations())
	results := map[string]float64{}
	for _, op := range operations {
		if list {
			fmt.Println(op.name)
		} else if len(names) == 0 || slices.Contains(names, op.name) {
			results[op.name] = measure(op, read, budget)
		}
	}
	for _, name := range names {
		if _, found := results[name]; !found && !list {
			return fmt.Errorf("there is no operation %q", name)
		}
	}
	if list {
		return nil
	}
	return json.NewEncoder(os.Stdout).Encode(results)
}
