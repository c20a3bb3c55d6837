package main

import (
	"context"
	"sync"

	pb "github.com/ipfs/boxo/bitswap/message/pb"
	"github.com/ipfs/boxo/bitswap/server"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	peers       = 100
	wantsEach   = 1000
	all         = peers * wantsEach
	largeSize   = 256 << 10
	smallSize   = 256
	haveOnWire  = 40             // bytes of a HAVE in a frame, with a CID of 36
	smallOnWire = 12 + smallSize // the same of a small block
)

var (
	allCids = sync.OnceValue(func() []cid.Cid { return cids(all) })
	// large has a block for every CID: of the right size, and all with the same zeros, since nobody reads them.
	large = sync.OnceValue(func() map[cid.Cid]blocks.Block {
		zeros := make([]byte, largeSize)
		held := make(map[cid.Cid]blocks.Block, all)
		for _, c := range allCids() {
			held[c] = must(blocks.NewBlockWithCid(zeros, c))
		}
		return held
	})
	smallBlocks = sync.OnceValue(func() []blocks.Block { return makeBlocks(all, smallSize) })
	small       = sync.OnceValue(func() map[cid.Cid]blocks.Block {
		held := make(map[cid.Cid]blocks.Block, all)
		for _, b := range smallBlocks() {
			held[b.Cid()] = b
		}
		return held
	})
	presentFrames = sync.OnceValue(func() [][]byte { return wantFrames(allCids(), pb.Message_Wantlist_Have, true) })
	missingFrames = sync.OnceValue(func() [][]byte { return wantFrames(allCids(), pb.Message_Wantlist_Block, true) })
	smallFrames   = sync.OnceValue(func() [][]byte {
		wanted := make([]cid.Cid, all)
		for i, b := range smallBlocks() {
			wanted[i] = b.Cid()
		}
		return wantFrames(wanted, pb.Message_Wantlist_Block, true)
	})
	sharedFrames = sync.OnceValue(func() [][]byte {
		one := wantFrames(allCids()[:wantsEach], pb.Message_Wantlist_Block, false)
		out := make([][]byte, peers)
		for i := range out {
			out[i] = one[0]
		}
		return out
	})
	cancelFrames = sync.OnceValue(func() [][]byte {
		var out [][]byte
		for _, share := range shares(allCids(), wantsEach) {
			out = append(out, frame(cancels(share)))
		}
		return out
	})
)

func wantFrames(wanted []cid.Cid, kind pb.Message_Wantlist_WantType, sendDontHave bool) [][]byte {
	var out [][]byte
	for _, share := range shares(wanted, wantsEach) {
		out = append(out, frame(wants(share, kind, sendDontHave)))
	}
	return out
}

// node is a boxo server with a peer that sends each frame, and a network that holds answers until `net` is opened.
type node struct {
	server *server.Server
	net    *gatedNetwork
	store  *mapStore
	peers  []peer.ID
	stop   context.CancelFunc
}

func newNode(held map[cid.Cid]blocks.Block, itemSize int) *node {
	ctx, stop := context.WithCancel(context.Background())
	n := &node{net: newGatedNetwork(all, itemSize), store: newMapStore(held), peers: peerIDs(peers), stop: stop}
	n.server = server.New(ctx, n.net, n.store)
	for _, p := range n.peers {
		n.server.PeerConnected(p)
	}
	return n
}

// close frees what the server holds; its goroutines end with the context.
func (n *node) close() {
	n.disconnect()
	n.stop()
}

func (n *node) receive(frames [][]byte) int {
	for i, wire := range frames {
		n.server.ReceiveMessage(context.Background(), n.peers[i], read(wire))
	}
	return all
}

func (n *node) drain() int {
	n.net.drain()
	return all
}

func (n *node) disconnect() int {
	for _, p := range n.peers {
		n.server.PeerDisconnected(p)
	}
	return all
}

// notify tells of the blocks that all peers want, a hundred at a time.
func (n *node) notify() int {
	held := large()
	came := make([]blocks.Block, wantsEach)
	for i, c := range allCids()[:wantsEach] {
		came[i] = held[c]
	}
	n.store.held.Store(&held)
	for i := 0; i < wantsEach; i += 100 {
		if err := n.server.NotifyNewBlocks(context.Background(), came[i:i+100]...); err != nil {
			panic(err)
		}
	}
	return all
}

func engineOperations() []operation {
	none := func() map[cid.Cid]blocks.Block { return nil }
	on := func(name string, held func() map[cid.Cid]blocks.Block, itemSize int, before, timed func(*node) int) operation {
		return operation{name: "engine: " + name, prepare: func() (func() int, func()) {
			n := newNode(held(), itemSize)
			if before != nil {
				before(n)
			}
			return func() int { return timed(n) }, n.close
		}}
	}
	taking := func(frames func() [][]byte) func(*node) int {
		return func(n *node) int { return n.receive(frames()) }
	}
	present := taking(presentFrames)
	return []operation{
		on("receive wants, present", large, haveOnWire, nil, present),
		on("receive wants, missing", none, haveOnWire, nil, taking(missingFrames)),
		on("send presences", large, haveOnWire, present, (*node).drain),
		on("send blocks of 256 B", small, smallOnWire, taking(smallFrames), (*node).drain),
		on("cancel", large, haveOnWire, present, taking(cancelFrames)),
		on("peers disconnect", large, haveOnWire, present, (*node).disconnect),
		on("new blocks for all peers", none, haveOnWire, taking(sharedFrames), (*node).notify),
	}
}
