package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/ipfs/boxo/bitswap/client/wantlist"
	bsmsg "github.com/ipfs/boxo/bitswap/message"
	pb "github.com/ipfs/boxo/bitswap/message/pb"
	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/ipfs/go-peertaskqueue"
	"github.com/ipfs/go-peertaskqueue/peertask"
)

// holding is something whose memory is measured. make gives it, empty; load fills it and returns with how many items.
type holding struct {
	name string
	make func() (load func() int, keep any)
}

// holdings are those of benchmarks/memory.py. Whatever comes from a peer is decoded on the spot, as in a node.
func holdings() []holding {
	deep, wide := shape{1000, 1000}, shape{100_000, 10}
	return []holding{
		wanted("queued wants, "+deep.String(), deep, true, false),
		wanted("queued wants, "+deep.String()+", the same", deep, true, true),
		wanted("queued wants, "+wide.String(), wide, true, false),
		wanted("waiting wants, "+deep.String(), deep, false, false),
		{"request queue, " + deep.String(), func() (func() int, any) {
			queue := peertaskqueue.New(peertaskqueue.IgnoreFreezing(true))
			return func() int {
				for i, p := range peerIDs(deep.peers) {
					tasks := make([]peertask.Task, deep.each)
					for k := range tasks {
						tasks[k] = peertask.Task{Topic: numbered(i*deep.each + k), Priority: int(spread(k)), Work: hasWork}
					}
					queue.PushTasks(p, tasks...)
				}
				return deep.all()
			}, queue
		}},
		{"wantlist, 1,000,000", func() (func() int, any) {
			list := wantlist.New()
			return func() int {
				for i := range deep.all() {
					list.Add(numbered(i), int32(i), pb.Message_Wantlist_Block)
				}
				return deep.all()
			}, list
		}},
	}
}

// wanted is what peers want: blocks that the store has, or those that it has not and nobody is told so.
func wanted(name string, s shape, present, same bool) holding {
	return holding{name, func() (func() int, any) {
		n := newNode(s.each, sizedStore{has: present}, answer{})
		return func() int {
			n.connect(s.peers)
			for i, p := range n.peers {
				if same {
					i = 0
				}
				m := bsmsg.New(false)
				for k := range s.each {
					if present {
						m.AddEntry(numbered(i*s.each+k), spread(k), pb.Message_Wantlist_Have, true)
					} else {
						m.AddEntry(numbered(i*s.each+k), spread(k), pb.Message_Wantlist_Block, false)
					}
				}
				n.server.ReceiveMessage(context.Background(), p, read(frame(m)))
			}
			return s.all()
		}, n
	}}
}

// bytesAnItem is by how much the heap has grown.
func bytesAnItem(name string) (float64, error) {
	for _, h := range holdings() {
		if h.name != name {
			continue
		}
		load, keep := h.make()
		before := heap()
		items := load()
		after := heap()
		runtime.KeepAlive(keep)
		return float64(int64(after)-int64(before)) / float64(items), nil
	}
	return 0, fmt.Errorf("there is no holding %q", name)
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // what had a finalizer goes with the second
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// sizedStore has every block, or none; nobody reads one.
type sizedStore struct{ has bool }

var _ blockstore.Blockstore = sizedStore{}

func (s sizedStore) GetSize(_ context.Context, c cid.Cid) (int, error) {
	if s.has {
		return largeSize, nil
	}
	return 0, ipld.ErrNotFound{Cid: c}
}

func (s sizedStore) Has(context.Context, cid.Cid) (bool, error)          { return s.has, nil }
func (s sizedStore) Get(context.Context, cid.Cid) (blocks.Block, error)  { panic("not needed") }
func (s sizedStore) Put(context.Context, blocks.Block) error             { panic("not needed") }
func (s sizedStore) PutMany(context.Context, []blocks.Block) error       { panic("not needed") }
func (s sizedStore) DeleteBlock(context.Context, cid.Cid) error          { panic("not needed") }
func (s sizedStore) AllKeysChan(context.Context) (<-chan cid.Cid, error) { panic("not needed") }
