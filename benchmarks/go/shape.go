package main

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	perMessage = 1000   // wants of a message at most
	enough     = 10_000 // answers that are taken where all would take too long
)

// shape is how many peers there are, and how many wants each has.
type shape struct{ peers, each int }

func (s shape) all() int { return s.peers * s.each }

func (s shape) String() string { return thousands(s.peers) + " x " + thousands(s.each) }

func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// parts cuts what is wanted into messages for the peers of a shape.
func parts[T any](s shape, wanted []T) [][][]T {
	out := make([][][]T, s.peers)
	for i := range out {
		out[i] = shares(wanted[i*s.each:(i+1)*s.each], perMessage)
	}
	return out
}

// shares cuts a list into parts of a size.
func shares[T any](list []T, size int) [][]T {
	var out [][]T
	for len(list) > 0 {
		n := min(size, len(list))
		out = append(out, list[:n])
		list = list[n:]
	}
	return out
}

func peerIDs(count int) []peer.ID {
	out := make([]peer.ID, count)
	for i := range out {
		out[i] = peer.ID(fmt.Sprintf("peer %d", i))
	}
	return out
}

// once remembers what was made for a shape.
func once[V any](make func(shape) V) func(shape) V {
	var made sync.Map
	return func(s shape) V {
		if found, ok := made.Load(s); ok {
			return found.(V)
		}
		value := make(s)
		made.Store(s, value)
		return value
	}
}
