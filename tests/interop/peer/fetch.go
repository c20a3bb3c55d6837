package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ipfs/boxo/bitswap"
	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/exchange"
	"github.com/ipfs/boxo/ipld/merkledag"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
)

type fetchFlags struct {
	host     hostFlags
	peer     string
	root     string
	out      string
	reader   bool
	cids     string
	batch    int
	parallel int
	warm     int
	discard  bool
	announce bool
	timeout  time.Duration
}

func parseFetch(args []string) (fetchFlags, error) {
	var f fetchFlags
	flags := flag.NewFlagSet("fetch", flag.ExitOnError)
	f.host.register(flags)
	flags.StringVar(&f.peer, "peer", "", "multiaddr ending in /p2p/ID")
	flags.StringVar(&f.root, "cid", "", "root of a UnixFS file or directory")
	flags.StringVar(&f.out, "out", "", "where to write it (none: fetch it only)")
	flags.BoolVar(&f.reader, "reader", false, "with --cid and --out: read through the UnixFS reader, not FetchGraph first")
	flags.StringVar(&f.cids, "cids", "", "file of CIDs, one a line: fetch these blocks")
	flags.IntVar(&f.batch, "batch", 0, "blocks a GetBlocks call (0: all in one)")
	flags.IntVar(&f.parallel, "parallel", 0, "GetBlock calls at a time, in place of GetBlocks")
	flags.IntVar(&f.warm, "warm", 0, "with --parallel: this many calls come before the clock starts")
	flags.BoolVar(&f.discard, "discard", false, "drop blocks once they are verified")
	flags.BoolVar(&f.announce, "announce", false, "with --cids: say {\"began\": true} when the first block has come")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "give up after this long")
	_ = flags.Parse(args)
	if f.peer == "" || (f.root == "") == (f.cids == "") {
		return f, errors.New("fetch needs --peer and one of --cid, --cids")
	}
	if f.reader && f.out == "" {
		return f, errors.New("--reader needs --out")
	}
	if f.discard && f.out != "" {
		return f, errors.New("--out needs the blocks that --discard drops")
	}
	return f, nil
}

// tally is what came: every block that Bitswap hands out was hashed when its message was read.
type tally struct {
	mutex     sync.Mutex
	announce  bool
	wanted    map[cid.Cid]bool
	blocks    int
	bytes     int64
	latencies []time.Duration
}

func (t *tally) add(block blocks.Block) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if !t.wanted[block.Cid()] {
		return fmt.Errorf("%s was not asked for, or came twice", block.Cid())
	}
	delete(t.wanted, block.Cid())
	if t.announce && t.blocks == 0 {
		report(map[string]any{"began": true})
	}
	t.blocks++
	t.bytes += int64(len(block.RawData()))
	return nil
}

func fetch(ctx context.Context, args []string) error {
	settings, err := parseFetch(args)
	if err != nil {
		return err
	}
	node, err := newHost(settings.host, "")
	if err != nil {
		return err
	}
	defer node.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, settings.timeout, errors.New("timed out"))
	defer cancel()
	store := newStore()
	store.drops = settings.discard
	bs := bitswap.New(ctx, newNetwork(node, settings.host), nil, store)
	defer bs.Close()
	ctx, _, err = connect(ctx, node, settings.peer)
	if err != nil {
		return err
	}

	var result map[string]any
	started, used := time.Now(), processorTime()
	if settings.root != "" {
		result, err = fetchTree(ctx, settings, bs, store)
	} else {
		result, err = fetchBlocks(ctx, settings, bs, store)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	result["seconds"] = time.Since(started).Seconds()
	result["cpu_seconds"] = (processorTime() - used).Seconds()
	result["peak_bytes"] = peakBytes()
	stat, statErr := bs.Stat()
	if statErr != nil {
		return statErr
	}
	result["duplicates"] = stat.DupBlksReceived
	result["messages_received"] = stat.MessagesReceived
	if err != nil {
		result["error"] = err.Error()
	}
	report(result)
	return err
}

func fetchTree(ctx context.Context, settings fetchFlags, ex exchange.SessionExchange, store *memoryStore) (map[string]any, error) {
	result := map[string]any{}
	root, err := cid.Decode(settings.root)
	if err != nil {
		return result, err
	}
	dag := merkledag.NewDAGService(blockservice.New(store, ex))
	started := time.Now()
	if !settings.reader {
		err = merkledag.FetchGraph(ctx, root, dag)
		result["fetch_seconds"] = time.Since(started).Seconds()
	}
	count, bytes := store.size()
	result["blocks"], result["bytes"] = count, bytes
	if err != nil || settings.out == "" {
		return result, err
	}
	size, err := writeOut(ctx, dag, root, settings.out)
	count, _ = store.size()
	result["blocks"], result["bytes"] = count, size
	return result, err
}

func fetchBlocks(ctx context.Context, settings fetchFlags, ex exchange.SessionExchange, store *memoryStore) (map[string]any, error) {
	keys, err := readCids(settings.cids)
	if err != nil {
		return map[string]any{}, err
	}
	seen := &tally{wanted: make(map[cid.Cid]bool, len(keys)), announce: settings.announce}
	for _, key := range keys {
		seen.wanted[key] = true
	}
	keep := func(block blocks.Block) error {
		if err := seen.add(block); err != nil || settings.discard {
			return err
		}
		if err := store.Put(ctx, block); err != nil {
			return err
		}
		return ex.NotifyNewBlocks(ctx, block)
	}
	session := ex.NewSession(ctx)
	if warm := min(settings.warm, len(keys)); settings.parallel > 0 && warm > 0 {
		if err := getEach(ctx, session, keys[:warm], settings.parallel, seen, keep); err != nil {
			return map[string]any{}, err
		}
		keys, seen.latencies = keys[warm:], nil
	}
	started := time.Now()
	if settings.parallel > 0 {
		err = getEach(ctx, session, keys, settings.parallel, seen, keep)
	} else {
		err = getBatches(ctx, session, keys, settings.batch, keep)
	}
	elapsed := time.Since(started).Seconds()
	seen.mutex.Lock()
	defer seen.mutex.Unlock()
	if err == nil && len(seen.wanted) > 0 {
		err = fmt.Errorf("%d of %d blocks did not come", len(seen.wanted), len(keys))
	}
	result := map[string]any{
		"blocks": seen.blocks, "bytes": seen.bytes, "missing": len(seen.wanted), "fetch_seconds": elapsed,
	}
	if count := len(seen.latencies); count > 0 {
		slices.Sort(seen.latencies)
		result["p50_seconds"] = seen.latencies[count/2].Seconds()
		result["p99_seconds"] = seen.latencies[count*99/100].Seconds()
	}
	return result, err
}

func getBatches(ctx context.Context, session exchange.Fetcher, keys []cid.Cid, batch int, keep func(blocks.Block) error) error {
	if batch <= 0 {
		batch = max(1, len(keys))
	}
	for part := range slices.Chunk(keys, batch) {
		incoming, err := session.GetBlocks(ctx, part)
		if err != nil {
			return err
		}
		for block := range incoming {
			if err := keep(block); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func getEach(
	ctx context.Context, session exchange.Fetcher, keys []cid.Cid, workers int, seen *tally, keep func(blocks.Block) error,
) error {
	queue := make(chan cid.Cid)
	failures := make(chan error, workers)
	var group sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range workers {
		group.Go(func() {
			for key := range queue {
				started := time.Now()
				block, err := session.GetBlock(ctx, key)
				if err == nil {
					err = keep(block)
				}
				if err != nil {
					failures <- err
					cancel()
					return
				}
				seen.mutex.Lock()
				seen.latencies = append(seen.latencies, time.Since(started))
				seen.mutex.Unlock()
			}
		})
	}
feed:
	for _, key := range keys {
		select {
		case queue <- key:
		case <-ctx.Done():
			break feed
		}
	}
	close(queue)
	group.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return ctx.Err()
	}
}

func readCids(path string) ([]cid.Cid, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var keys []cid.Cid
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		key, err := cid.Decode(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		keys = append(keys, key)
	}
	return keys, lines.Err()
}
