package main

import (
	"context"
	"sync/atomic"
	"time"

	bsmsg "github.com/ipfs/boxo/bitswap/message"
	bsnet "github.com/ipfs/boxo/bitswap/network"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
)

// answer says how many answers must be sent until a queue counts as sent.
type answer struct {
	bytes int // that each takes in a frame
	count int
}

// gatedNetwork encodes messages and drops them. Until it is opened it holds every sender, so that a queue can be filled.
type gatedNetwork struct {
	gate  chan struct{}
	bytes int64
	left  atomic.Int64 // answers still to be sent
	done  chan struct{}
	each  chan struct{} // told of each message, if there is one
}

var _ bsnet.BitSwapNetwork = (*gatedNetwork)(nil)

func newGatedNetwork(awaited answer) *gatedNetwork {
	n := &gatedNetwork{gate: make(chan struct{}), done: make(chan struct{}), bytes: int64(max(1, awaited.bytes))}
	n.left.Store(int64(awaited.count))
	return n
}

// counter counts bytes.
type counter int64

func (c *counter) Write(data []byte) (int, error) {
	*c += counter(len(data))
	return len(data), nil
}

func (n *gatedNetwork) SendMessage(ctx context.Context, _ peer.ID, m bsmsg.BitSwapMessage) error {
	select {
	case <-n.gate:
	case <-ctx.Done():
		return ctx.Err()
	}
	var size counter
	if err := m.ToNetV1(&size); err != nil {
		return err
	}
	// What a frame has besides its answers is shorter than one answer.
	sent := int64(size) / n.bytes
	if left := n.left.Add(-sent); left <= 0 && left+sent > 0 {
		close(n.done)
	}
	if n.each != nil {
		n.each <- struct{}{}
	}
	return nil
}

// tellOfEach opens the gate and has every message told of.
func (n *gatedNetwork) tellOfEach() {
	n.each = make(chan struct{}, 1)
	close(n.gate)
}

// drain opens the gate and waits until enough is sent.
func (n *gatedNetwork) drain() {
	close(n.gate)
	<-n.done
}

func (n *gatedNetwork) Self() peer.ID                                   { return "us" }
func (n *gatedNetwork) Start(...bsnet.Receiver)                         {}
func (n *gatedNetwork) Stop()                                           {}
func (n *gatedNetwork) Connect(context.Context, peer.AddrInfo) error    { return nil }
func (n *gatedNetwork) DisconnectFrom(context.Context, peer.ID) error   { return nil }
func (n *gatedNetwork) IsConnectedToPeer(context.Context, peer.ID) bool { return true }
func (n *gatedNetwork) Host() host.Host                                 { return nil }
func (n *gatedNetwork) Stats() bsnet.Stats                              { return bsnet.Stats{} }
func (n *gatedNetwork) Ping(context.Context, peer.ID) ping.Result       { return ping.Result{} }
func (n *gatedNetwork) Latency(peer.ID) time.Duration                   { return 0 }
func (n *gatedNetwork) TagPeer(peer.ID, string, int)                    {}
func (n *gatedNetwork) UntagPeer(peer.ID, string)                       {}
func (n *gatedNetwork) Protect(peer.ID, string)                         {}
func (n *gatedNetwork) Unprotect(peer.ID, string) bool                  { return false }
func (n *gatedNetwork) NewMessageSender(context.Context, peer.ID, *bsnet.MessageSenderOpts) (bsnet.MessageSender, error) {
	panic("a server asks for no sender")
}
