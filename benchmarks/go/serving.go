package main

import (
	"context"

	blocks "github.com/ipfs/go-block-format"
)

const (
	haveOnWire  = 40 // bytes of a HAVE in a frame, with a CID of 36
	blockOnWire = 12 // bytes of a block in a frame beside its data
)

var (
	usual = shape{100, 1000}
	many  = shape{10_000, 10}
	one   = shape{1, 100_000}
	slow  = shape{100, 100}
)

// scene is a node before something is timed: a peer keeps up to `limit` wants, has sent `before`.
type scene struct {
	shape  shape
	limit  int
	store  func() held
	before func(shape) frames
	sent   answer
}

func servingOperations() []operation {
	queued := func(s shape) scene {
		return scene{shape: s, limit: s.each, store: zeros, before: wantHaves, sent: answer{haveOnWire, answers(s)}}
	}
	fresh := func(s shape, store func() held) scene { return scene{shape: s, limit: s.each, store: store} }
	out := []operation{
		receiving("receive", fresh(usual, zeros), wantHaves),
		receiving("receive, missing", fresh(usual, nothingHeld), wantBlocks),
		answering("send presences", queued(usual)),
		answering("send blocks of 256 B", scene{usual, usual.each, smallHeld, wantSmall, answer{blockOnWire + smallSize, answers(usual)}}),
		answering("send blocks of 16 KiB", scene{usual, usual.each, middleHeld, wantMiddle, answer{blockOnWire + middleSize, enough}}),
		receiving("cancel", queued(usual), withdrawals),
		notifying(scene{shape: usual, limit: usual.each, store: nothingHeld, before: wantSilently}),
		receiving("overflow", queued(usual), wantMore),
		disconnecting(queued(usual)),
		oneByOne(scene{shape: slow, limit: slow.each, store: smallHeld}),
	}
	for _, s := range []shape{many, one} {
		out = append(out,
			receiving("receive", fresh(s, zeros), wantHaves),
			answering("send presences", queued(s)),
			answering("send blocks of 256 B", scene{s, s.each, smallHeld, wantSmall, answer{blockOnWire + smallSize, answers(s)}}),
			receiving("cancel", queued(s), withdrawals),
			disconnecting(queued(s)))
	}
	return out
}

// answers is how many are sent: where one peer has all, boxo looks at all of them for each message.
func answers(s shape) int {
	if s.peers == 1 {
		return enough
	}
	return s.all()
}

// operation times `run`, which handles `items`.
func (s scene) operation(name string, items int, run func(*node, *mapStore)) operation {
	return operation{name: "engine: " + name + ", " + s.shape.String(), prepare: func() (func() int, func()) {
		store := newMapStore(s.store())
		n := newNode(s.limit, store, s.sent)
		n.connect(s.shape.peers)
		if s.before != nil {
			n.receive(s.before(s.shape))
		}
		return func() int { run(n, store); return items }, n.close
	}}
}

func receiving(name string, s scene, sent func(shape) frames) operation {
	op := s.operation(name, s.shape.all(), func(n *node, _ *mapStore) { n.receive(sent(s.shape)) })
	prepare := op.prepare
	op.prepare = func() (func() int, func()) {
		sent(s.shape) // is made before the clock runs
		return prepare()
	}
	return op
}

func answering(name string, s scene) operation {
	return s.operation(name, s.sent.count, func(n *node, _ *mapStore) { n.net.drain() })
}

func notifying(s scene) operation {
	return s.operation("new blocks for all peers", s.shape.all(), func(n *node, store *mapStore) {
		all := zeros()
		came := make([]blocks.Block, s.shape.each)
		for i, c := range cids(s.shape.each) {
			came[i] = all[c]
		}
		store.held.Store(&all)
		n.notify(came)
	})
}

func disconnecting(s scene) operation {
	return s.operation("peers disconnect", s.shape.all(), func(n *node, _ *mapStore) { n.disconnect() })
}

// oneByOne wants one block a message, and waits for it before the next.
func oneByOne(s scene) operation {
	op := s.operation("a block at a time", s.shape.all(), func(n *node, _ *mapStore) {
		n.net.tellOfEach()
		for i, frames := range wantSingly(s.shape) {
			for _, wire := range frames {
				n.server.ReceiveMessage(context.Background(), n.peers[i], read(wire))
				<-n.net.each
			}
		}
	})
	prepare := op.prepare
	op.prepare = func() (func() int, func()) {
		wantSingly(s.shape)
		return prepare()
	}
	return op
}
