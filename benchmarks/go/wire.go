package main

import (
	"bytes"
	"io"

	bsmsg "github.com/ipfs/boxo/bitswap/message"
	pb "github.com/ipfs/boxo/bitswap/message/pb"
	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-msgio"
)

const (
	entries    = 1000
	blockCount = 15
	blockSize  = 256 << 10
	piece      = 64 << 10
)

func wireOperations() []operation {
	return append(codecOperations(), append(buildOperations(), frameOperations()...)...)
}

func codecOperations() []operation {
	messages := []struct {
		name  string
		items int
		make  func() bsmsg.BitSwapMessage
	}{
		{"1,000 wants", entries, func() bsmsg.BitSwapMessage { return wants(cids(entries), 0, pb.Message_Wantlist_Block, true) }},
		{"1,000 cancels", entries, func() bsmsg.BitSwapMessage { return cancels(cids(entries)) }},
		{"1,000 presences", entries, func() bsmsg.BitSwapMessage { return presences(cids(entries)) }},
		{"15 blocks of 256 KiB", blockCount, func() bsmsg.BitSwapMessage { return sending(makeBlocks(blockCount, blockSize)) }},
	}
	var out []operation
	for _, m := range messages {
		out = append(out,
			repeated("decode "+m.name, func() func() int {
				wire := frame(m.make())
				return func() int { read(wire); return m.items }
			}),
			repeated("encode "+m.name, func() func() int {
				message := m.make()
				return func() int { write(message); return m.items }
			}))
	}
	return append(out, repeated("decode and list 1,000 wants", func() func() int {
		wire := frame(messages[0].make())
		return func() int { return len(read(wire).Wantlist()) }
	}))
}

func buildOperations() []operation {
	add := func(m bsmsg.BitSwapMessage, c cid.Cid) { m.AddEntry(c, 1, pb.Message_Wantlist_Block, true) }
	afresh := func(name string, do func(bsmsg.BitSwapMessage, cid.Cid)) operation {
		return repeated("message: add 1,000 "+name, func() func() int {
			all := cids(entries)
			return func() int {
				m := bsmsg.New(false)
				for _, c := range all {
					do(m, c)
				}
				return len(all)
			}
		})
	}
	return []operation{
		afresh("new wants", add),
		repeated("message: merge 1,000 wants", func() func() int {
			all := cids(entries)
			m := wants(all, 0, pb.Message_Wantlist_Block, true)
			return func() int {
				for _, c := range all {
					add(m, c)
				}
				return len(all)
			}
		}),
		afresh("new cancels", func(m bsmsg.BitSwapMessage, c cid.Cid) { m.Cancel(c) }),
		afresh("presences", func(m bsmsg.BitSwapMessage, c cid.Cid) { m.AddHave(c) }),
	}
}

func frameOperations() []operation {
	return []operation{
		repeated("frames of 1 MiB, in pieces of 64 KiB", func() func() int {
			stream := bytes.Repeat(frame(sending(makeBlocks(4, blockSize))), 16)
			return func() int { split(stream); return (len(stream) + piece - 1) / piece }
		}),
		repeated("frames of one want, in such pieces", func() func() int {
			stream := bytes.Repeat(frame(wants(cids(1), 0, pb.Message_Wantlist_Block, true)), 10_000)
			return func() int { return split(stream) }
		}),
	}
}

func repeated(name string, prepare func() func() int) operation {
	return operation{name: name, repeats: true, prepare: func() (func() int, func()) { return prepare(), nil }}
}

func read(wire []byte) bsmsg.BitSwapMessage {
	m, _, err := bsmsg.FromNet(bytes.NewReader(wire))
	if err != nil {
		panic(err)
	}
	return m
}

func write(m bsmsg.BitSwapMessage) {
	if err := m.ToNetV1(io.Discard); err != nil {
		panic(err)
	}
}

// pieces yields at most one piece a Read, as a stream of the network does.
type pieces struct{ rest []byte }

func (p *pieces) Read(into []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(into[:min(len(into), piece)], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// split reads frames to the end and returns how many there were.
func split(stream []byte) int {
	reader := msgio.NewVarintReaderSize(&pieces{stream}, network.MessageSizeMax)
	for n := 0; ; n++ {
		body, err := reader.ReadMsg()
		if err == io.EOF {
			return n
		}
		if err != nil {
			panic(err)
		}
		reader.ReleaseMsg(body)
	}
}
