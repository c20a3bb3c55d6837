package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/ipfs/boxo/bitswap"
	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/exchange/offline"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	"github.com/libp2p/go-libp2p/core/peer"
)

type pathList []string

func (p *pathList) String() string { return "" }
func (p *pathList) Set(value string) error {
	*p = append(*p, value)
	return nil
}

type serveFlags struct {
	host           hostFlags
	listen         string
	paths          pathList
	cidVersion     int
	chunk          int64
	maxLinks       int
	count, size    int
	seed           string
	repeat         bool
	cidsOut        string
	maxWants       uint
	maxOutstanding int
	stallAfter     int
}

func parseServe(args []string) serveFlags {
	var s serveFlags
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	s.host.register(flags)
	flags.StringVar(&s.listen, "listen", "127.0.0.1:0", "loopback HOST:PORT")
	flags.Var(&s.paths, "file", "file or directory to serve as UnixFS; may be repeated")
	flags.IntVar(&s.cidVersion, "cid-version", 0, "0 or 1 (with raw leaves)")
	flags.Int64Var(&s.chunk, "chunk", 256*1024, "bytes a leaf")
	flags.IntVar(&s.maxLinks, "max-links", helpers.DefaultLinksPerBlock, "links a file node")
	flags.IntVar(&s.count, "blocks-count", 0, "reproducible raw blocks to serve")
	flags.IntVar(&s.size, "blocks-size", 256*1024, "bytes each")
	flags.StringVar(&s.seed, "blocks-seed", "seed", "seed of their bytes")
	flags.BoolVar(&s.repeat, "blocks-repeat", false, "one digest over and over: quick to make")
	flags.StringVar(&s.cidsOut, "cids-out", "", "file to write their CIDs to, one a line")
	flags.UintVar(&s.maxWants, "max-wants", 0, "MaxQueuedWantlistEntriesPerPeer (0: boxo's default)")
	flags.IntVar(&s.maxOutstanding, "max-outstanding", 0, "MaxOutstandingBytesPerPeer (0: boxo's default)")
	flags.IntVar(&s.stallAfter, "stall-after", -1, "read this many blocks from the store, then none; says {\"stalled\": true}")
	_ = flags.Parse(args)
	return s
}

func addMadeBlocks(ctx context.Context, settings serveFlags, store *memoryStore) error {
	var names strings.Builder
	for index := range settings.count {
		block, err := madeBlock(settings.seed, index, settings.size, settings.repeat)
		if err != nil {
			return err
		}
		if err := store.Put(ctx, block); err != nil {
			return err
		}
		names.WriteString(block.Cid().String() + "\n")
	}
	if settings.cidsOut == "" {
		return nil
	}
	return os.WriteFile(settings.cidsOut, []byte(names.String()), 0o600)
}

func fillStore(ctx context.Context, settings serveFlags, store *memoryStore) (map[string]string, error) {
	if err := addMadeBlocks(ctx, settings, store); err != nil {
		return nil, err
	}
	local := merkledag.NewDAGService(blockservice.New(store, offline.Exchange(store)))
	im := importer{dag: local, cidVersion: settings.cidVersion, chunk: settings.chunk, maxLinks: settings.maxLinks}
	roots := map[string]string{}
	for _, path := range settings.paths {
		node, err := im.add(ctx, path)
		if err != nil {
			return nil, err
		}
		roots[path] = node.Cid().String()
	}
	return roots, nil
}

func serve(ctx context.Context, args []string) error {
	settings := parseServe(args)
	if settings.cidVersion != 0 && settings.cidVersion != 1 {
		return errors.New("--cid-version is 0 or 1")
	}
	store := newStore()
	roots, err := fillStore(ctx, settings, store)
	if err != nil {
		return err
	}
	// What filling the store left behind is not to be seen in the memory of what follows.
	debug.FreeOSMemory()
	store.stallAfter = settings.stallAfter
	store.onStall = func() { report(map[string]any{"stalled": true}) }

	node, err := newHost(settings.host, settings.listen)
	if err != nil {
		return err
	}
	defer node.Close()
	options := []bitswap.Option{}
	if settings.maxWants > 0 {
		options = append(options, bitswap.MaxQueuedWantlistEntriesPerPeer(settings.maxWants))
	}
	if settings.maxOutstanding > 0 {
		options = append(options, bitswap.MaxOutstandingBytesPerPeer(settings.maxOutstanding))
	}
	exchange := bitswap.New(ctx, newNetwork(node, settings.host), nil, store, options...)
	defer exchange.Close()

	addresses, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: node.ID(), Addrs: node.Addrs()})
	if err != nil {
		return err
	}
	report(map[string]any{"peer_id": node.ID(), "addrs": addresses, "roots": roots})

	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(closed)
	}()
	select {
	case <-ctx.Done():
	case <-closed:
	}
	stat, err := exchange.Stat()
	if err != nil {
		return err
	}
	count, bytes := store.size()
	report(map[string]any{
		"blocks_sent": stat.BlocksSent, "bytes_sent": stat.DataSent, "messages_received": stat.MessagesReceived,
		"blocks_stored": count, "bytes_stored": bytes,
		"cpu_seconds": processorTime().Seconds(), "peak_bytes": peakBytes(),
	})
	return nil
}
