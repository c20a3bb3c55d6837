package main

import (
	"context"

	"github.com/ipfs/boxo/bitswap/server"
	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/libp2p/go-libp2p/core/peer"
)

// node is a boxo server, and a network that holds answers until it is opened.
type node struct {
	server *server.Server
	net    *gatedNetwork
	peers  []peer.ID
	stop   context.CancelFunc
}

// newNode keeps up to `limit` wants of a peer.
func newNode(limit int, store blockstore.Blockstore, awaited answer) *node {
	ctx, stop := context.WithCancel(context.Background())
	n := &node{net: newGatedNetwork(awaited), stop: stop}
	n.server = server.New(ctx, n.net, store, server.MaxQueuedWantlistEntriesPerPeer(uint(limit)))
	return n
}

func (n *node) connect(count int) {
	n.peers = peerIDs(count)
	for _, p := range n.peers {
		n.server.PeerConnected(p)
	}
}

// close frees what the server holds; its goroutines end with the context.
func (n *node) close() {
	n.disconnect()
	n.stop()
}

// receive hands over what each peer sends.
func (n *node) receive(sent [][][]byte) {
	for i, frames := range sent {
		for _, wire := range frames {
			n.server.ReceiveMessage(context.Background(), n.peers[i], read(wire))
		}
	}
}

func (n *node) disconnect() {
	for _, p := range n.peers {
		n.server.PeerDisconnected(p)
	}
}

// notify tells of new blocks, a hundred at a time.
func (n *node) notify(came []blocks.Block) {
	for _, some := range shares(came, 100) {
		if err := n.server.NotifyNewBlocks(context.Background(), some...); err != nil {
			panic(err)
		}
	}
}
