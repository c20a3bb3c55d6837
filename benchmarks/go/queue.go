package main

import (
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-peertaskqueue"
	"github.com/ipfs/go-peertaskqueue/peertask"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	targetWork = 16 << 10
	hasWork    = 38     // bytes of a HAVE for such a CID, as boxo counts them
	pops       = 10_000 // answers of each peer that are taken at least: at 100,000 a peer it is slow
)

type loadedQueue struct {
	queue *peertaskqueue.PeerTaskQueue
	tasks []peertask.Task
	peers []peer.ID
}

func queueOperations() []operation {
	var out []operation
	for _, shape := range []struct {
		peers, tasks int
		name         string
	}{{1, 1000, "1 x 1,000"}, {100, 1000, "100 x 1,000"}, {1000, 10, "1,000 x 10"}, {1, 100_000, "1 x 100,000"}} {
		empty := func() *loadedQueue { return newLoadedQueue(shape.peers, shape.tasks) }
		full := func() *loadedQueue {
			q := empty()
			q.push()
			return q
		}
		add := func(name string, make func() *loadedQueue, run func(*loadedQueue) int) {
			out = append(out, operation{
				name: fmt.Sprintf("queue: %s, %s", name, shape.name),
				prepare: func() (func() int, func()) {
					q := make()
					return func() int { return run(q) }, nil
				},
			})
		}
		add("push", empty, (*loadedQueue).push)
		add("pop", full, (*loadedQueue).pop)
		add("remove", full, (*loadedQueue).remove)
	}
	return out
}

func newLoadedQueue(peers, tasks int) *loadedQueue {
	q := &loadedQueue{queue: peertaskqueue.New(peertaskqueue.IgnoreFreezing(true)), peers: peerIDs(peers)}
	for i, c := range cids(tasks) {
		q.tasks = append(q.tasks, peertask.Task{Topic: c, Priority: int(spread(i)), Work: hasWork})
	}
	return q
}

func peerIDs(count int) []peer.ID {
	out := make([]peer.ID, count)
	for i := range out {
		out[i] = peer.ID(fmt.Sprintf("peer %d", i))
	}
	return out
}

// push queues the tasks of each peer, a thousand at a time.
func (q *loadedQueue) push() int {
	for _, p := range q.peers {
		for rest := q.tasks; len(rest) > 0; {
			n := min(1000, len(rest))
			q.queue.PushTasks(p, rest[:n]...)
			rest = rest[n:]
		}
	}
	return len(q.peers) * len(q.tasks)
}

func (q *loadedQueue) pop() int {
	n := 0
	for n < len(q.peers)*min(len(q.tasks), pops) {
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
