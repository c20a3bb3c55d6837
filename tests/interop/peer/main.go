// Command bitswap-peer is a node made of boxo and go-libp2p, for tests and measurements against another implementation.
//
// It speaks TCP with yamux and TLS or Noise, talks to loopback addresses only, and finds peers only by being told.
// Results are JSON objects, one a line, on standard output; words for people go to standard error.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = "usage: bitswap-peer serve|fetch|ping [flags]   (flags of each: bitswap-peer serve -h)"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	commands := map[string]func(context.Context, []string) error{"serve": serve, "fetch": fetch, "ping": pingPeer}
	command, known := commands[os.Args[1]]
	if !known {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[2:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bitswap-peer:", err)
		os.Exit(1)
	}
}

func report(values map[string]any) {
	line, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}
