package main

import (
	"sync"

	bsmsg "github.com/ipfs/boxo/bitswap/message"
	pb "github.com/ipfs/boxo/bitswap/message/pb"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
)

const (
	largeSize  = 256 << 10
	smallSize  = 256
	middleSize = 16 << 10
	distinct   = 100_000 // CIDs
	shared     = 1000    // CIDs that all peers want
)

type (
	frames = [][][]byte // by peer
	held   = map[cid.Cid]blocks.Block
)

var (
	// zeros has a block of the right size for each CID, all with the same data, since nobody reads it.
	zeros = sync.OnceValue(func() held {
		data := make([]byte, largeSize)
		out := make(held, distinct)
		for _, c := range cids(distinct) {
			out[c] = must(blocks.NewBlockWithCid(data, c))
		}
		return out
	})
	smallBlocks  = sync.OnceValue(func() []blocks.Block { return makeBlocks(distinct, smallSize) })
	middleBlocks = sync.OnceValue(func() []blocks.Block { return makeBlocks(shared, middleSize) })
	smallHeld    = sync.OnceValue(func() held { return byName(smallBlocks()) })
	middleHeld   = sync.OnceValue(func() held { return byName(middleBlocks()) })
)

func nothingHeld() held { return nil }

// What peers send: each wants others, unless it is said that they want the same.
var (
	wantHaves  = once(func(s shape) frames { return written(parts(s, cids(s.all())), 0, pb.Message_Wantlist_Have, true) })
	wantBlocks = once(func(s shape) frames { return written(parts(s, cids(s.all())), 0, pb.Message_Wantlist_Block, true) })
	wantSmall  = once(func(s shape) frames {
		return written(parts(s, names(smallBlocks())), 0, pb.Message_Wantlist_Block, true)
	})
	wantMiddle = once(func(s shape) frames {
		return written(same(s, names(middleBlocks())), 0, pb.Message_Wantlist_Block, true)
	})
	// wantSingly are the first wants of wantSmall, one a message.
	wantSingly = once(func(s shape) frames {
		out := make(frames, s.peers)
		for i := range out {
			some := names(smallBlocks())[i*s.each : (i+1)*s.each]
			out[i] = written([][][]cid.Cid{shares(some, 1)}, 0, pb.Message_Wantlist_Block, true)[0]
		}
		return out
	})
	// wantSilently is of peers that all want the same, and do not ask for DONT_HAVE.
	wantSilently = once(func(s shape) frames { return written(same(s, cids(s.each)), 0, pb.Message_Wantlist_Block, false) })
	// wantMore are other wants than those of wantHaves, and more urgent.
	wantMore = once(func(s shape) frames {
		return written(parts(s, cids(2 * s.all())[s.all():]), perMessage, pb.Message_Wantlist_Have, true)
	})
	withdrawals = once(func(s shape) frames { return encoded(parts(s, cids(s.all())), cancels) })
)

// same gives the same to each peer.
func same[T any](s shape, wanted []T) [][][]T {
	out := make([][][]T, s.peers)
	for i := range out {
		out[i] = shares(wanted, perMessage)
	}
	return out
}

func written(sent [][][]cid.Cid, above int, kind pb.Message_Wantlist_WantType, sendDontHave bool) frames {
	return encoded(sent, func(wanted []cid.Cid) bsmsg.BitSwapMessage {
		return wants(wanted, above, kind, sendDontHave)
	})
}

func encoded(sent [][][]cid.Cid, message func([]cid.Cid) bsmsg.BitSwapMessage) frames {
	out := make(frames, len(sent))
	for i, messages := range sent {
		for _, wanted := range messages {
			out[i] = append(out[i], frame(message(wanted)))
		}
	}
	return out
}

func names(of []blocks.Block) []cid.Cid {
	out := make([]cid.Cid, len(of))
	for i, b := range of {
		out[i] = b.Cid()
	}
	return out
}

func byName(of []blocks.Block) held {
	out := make(held, len(of))
	for _, b := range of {
		out[b.Cid()] = b
	}
	return out
}
