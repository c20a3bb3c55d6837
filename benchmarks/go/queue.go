package main

import (
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-peertaskqueue"
	"github.com/ipfs/go-peertaskqueue/peertask"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	targetWork = 16 << 10
	hasWork    = 38     // bytes of a HAVE for such a CID, as boxo counts them
	atOnce     = 20_000 // answers of a sample at least: the first ones after a pause are slow
)

var queueShapes = []shape{
	{1, 1000}, {1, 10_000}, {1, 100_000}, {1, 1_000_000}, {100, 1000}, {1000, 1000},
	{1, 10}, {10, 10}, {100, 10}, {1000, 10}, {10_000, 10},
}

type loadedQueue struct {
	queue *peertaskqueue.PeerTaskQueue
	tasks []peertask.Task
	peers []peer.ID
}

func queueOperations() []operation {
	var out []operation
	for _, s := range queueShapes {
		empty := func() *loadedQueue { return newLoadedQueue(s) }
		full := func() *loadedQueue {
			q := empty()
			q.push()
			return q
		}
		add := func(name string, make func() *loadedQueue, run func(*loadedQueue) int) {
			out = append(out, operation{
				name: "queue: " + name + ", " + s.String(),
				prepare: func() (func() int, func()) {
					var queues []*loadedQueue
					for len(queues)*s.all() < atOnce {
						queues = append(queues, make())
					}
					return func() int {
						n := 0
						for _, q := range queues {
							n += run(q)
						}
						return n
					}, nil
				},
			})
		}
		add("push", empty, (*loadedQueue).push)
		add("pop", full, func(q *loadedQueue) int { return q.pop(pops(s)) })
		add("remove", full, (*loadedQueue).remove)
	}
	return out
}

// pops is how many are taken: with many to one peer, each time it looks at all of them.
func pops(s shape) int {
	if s.each > 100_000 {
		return enough / 10
	}
	return s.peers * min(s.each, enough)
}

// newLoadedQueue is for peers that all want the same.
func newLoadedQueue(s shape) *loadedQueue {
	q := &loadedQueue{queue: peertaskqueue.New(peertaskqueue.IgnoreFreezing(true)), peers: peerIDs(s.peers)}
	for i, c := range cids(s.each) {
		q.tasks = append(q.tasks, peertask.Task{Topic: c, Priority: int(spread(i)), Work: hasWork})
	}
	return q
}

// push queues the tasks of each peer, as many at a time as a message has.
func (q *loadedQueue) push() int {
	for _, p := range q.peers {
		for _, some := range shares(q.tasks, perMessage) {
			q.queue.PushTasks(p, some...)
		}
	}
	return len(q.peers) * len(q.tasks)
}

// pop takes at least so many tasks.
func (q *loadedQueue) pop(count int) int {
	n := 0
	for n < count {
		p, tasks, _ := q.queue.PopTasks(targetWork)
		if len(tasks) == 0 {
			panic("the queue is empty too early")
		}
		n += len(tasks)
		q.queue.TasksDone(p, tasks...)
	}
	return n
}

func (q *loadedQueue) remove() int {
	for _, p := range q.peers {
		for _, t := range q.tasks {
			q.queue.Remove(t.Topic.(cid.Cid), p)
		}
	}
	return len(q.peers) * len(q.tasks)
}
