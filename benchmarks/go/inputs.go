package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	bsmsg "github.com/ipfs/boxo/bitswap/message"
	pb "github.com/ipfs/boxo/bitswap/message/pb"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
)

// Inputs are those of benchmarks/inputs.py.

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// numbered is the CID of the hash of i as eight bytes, little-endian.
func numbered(i int) cid.Cid {
	var number [8]byte
	binary.LittleEndian.PutUint64(number[:], uint64(i))
	digest := sha256.Sum256(number[:])
	return must(cid.Cast(append([]byte{1, 0x55, 0x12, 0x20}, digest[:]...)))
}

func cids(count int) []cid.Cid {
	out := make([]cid.Cid, count)
	for i := range out {
		out[i] = numbered(i)
	}
	return out
}

var rawPrefix = cid.Prefix{Version: 1, Codec: cid.Raw, MhType: 0x12, MhLength: 32}

// makeBlocks gives blocks that begin with their number and are zero after it.
func makeBlocks(count, size int) []blocks.Block {
	out := make([]blocks.Block, count)
	for i := range out {
		data := make([]byte, size)
		binary.LittleEndian.PutUint64(data, uint64(i))
		out[i] = must(blocks.NewBlockWithCid(data, must(rawPrefix.Sum(data))))
	}
	return out
}

// spread is a priority for want i, in no order.
func spread(i int) int32 {
	return int32(uint64(i) * 2654435761 % (1 << 31))
}

// wants have falling priorities, all greater than `above`.
func wants(wanted []cid.Cid, above int, kind pb.Message_Wantlist_WantType, sendDontHave bool) bsmsg.BitSwapMessage {
	m := bsmsg.New(false)
	for i, c := range wanted {
		m.AddEntry(c, int32(above+len(wanted)-i), kind, sendDontHave)
	}
	return m
}

func cancels(wanted []cid.Cid) bsmsg.BitSwapMessage {
	m := bsmsg.New(false)
	for _, c := range wanted {
		m.Cancel(c)
	}
	return m
}

// presences are HAVE and DONT_HAVE by turns.
func presences(told []cid.Cid) bsmsg.BitSwapMessage {
	m := bsmsg.New(false)
	for i, c := range told {
		m.AddBlockPresence(c, pb.Message_BlockPresenceType(i%2))
	}
	return m
}

func sending(sent []blocks.Block) bsmsg.BitSwapMessage {
	m := bsmsg.New(false)
	for _, b := range sent {
		m.AddBlock(b)
	}
	return m
}

func frame(m bsmsg.BitSwapMessage) []byte {
	var out bytes.Buffer
	if err := m.ToNetV1(&out); err != nil {
		panic(err)
	}
	return out.Bytes()
}
