package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	mh "github.com/multiformats/go-multihash"
)

// memoryStore is the plainest blockstore there is, so that a measurement is one of the exchange.
//
// One that drops counts what it is given and keeps none of it.
// With stallAfter >= 0 it answers that many reads and then none: a test can end the process while a transfer is under way.
type memoryStore struct {
	mutex      sync.RWMutex
	blocks     map[string]blocks.Block
	count      int
	bytes      int64
	drops      bool
	stallAfter int
	reads      int
	onStall    func()
}

var _ blockstore.Blockstore = (*memoryStore)(nil)

func newStore() *memoryStore {
	return &memoryStore{blocks: map[string]blocks.Block{}, stallAfter: -1}
}

func (s *memoryStore) Get(ctx context.Context, c cid.Cid) (blocks.Block, error) {
	if s.stallAfter >= 0 && s.stalls() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	block, found := s.blocks[string(c.Hash())]
	if !found {
		return nil, ipld.ErrNotFound{Cid: c}
	}
	if block.Cid() != c {
		return blocks.NewBlockWithCid(block.RawData(), c)
	}
	return block, nil
}

func (s *memoryStore) stalls() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.reads++
	if s.reads == s.stallAfter+1 {
		s.onStall()
	}
	return s.reads > s.stallAfter
}

func (s *memoryStore) Has(_ context.Context, c cid.Cid) (bool, error) {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	_, found := s.blocks[string(c.Hash())]
	return found, nil
}

func (s *memoryStore) GetSize(_ context.Context, c cid.Cid) (int, error) {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	block, found := s.blocks[string(c.Hash())]
	if !found {
		return -1, ipld.ErrNotFound{Cid: c}
	}
	return len(block.RawData()), nil
}

func (s *memoryStore) Put(ctx context.Context, block blocks.Block) error {
	return s.PutMany(ctx, []blocks.Block{block})
}

func (s *memoryStore) PutMany(_ context.Context, added []blocks.Block) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, block := range added {
		key := string(block.Cid().Hash())
		if _, found := s.blocks[key]; !found {
			if !s.drops {
				s.blocks[key] = block
			}
			s.count++
			s.bytes += int64(len(block.RawData()))
		}
	}
	return nil
}

func (s *memoryStore) DeleteBlock(_ context.Context, c cid.Cid) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	key := string(c.Hash())
	if block, found := s.blocks[key]; found {
		s.bytes -= int64(len(block.RawData()))
		s.count--
		delete(s.blocks, key)
	}
	return nil
}

func (s *memoryStore) AllKeysChan(ctx context.Context) (<-chan cid.Cid, error) {
	s.mutex.RLock()
	keys := make([]cid.Cid, 0, len(s.blocks))
	for _, block := range s.blocks {
		keys = append(keys, block.Cid())
	}
	s.mutex.RUnlock()
	out := make(chan cid.Cid)
	go func() {
		defer close(out)
		for _, key := range keys {
			select {
			case out <- key:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (s *memoryStore) size() (count int, bytes int64) {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	return s.count, s.bytes
}

// madeBlock is block number index of a reproducible set: sha256("seed:index:j") for j = 0, 1, ... cut at size bytes.
// With repeat it is sha256("seed:index:0") over and over, which takes less time to make.
func madeBlock(seed string, index, size int, repeat bool) (blocks.Block, error) {
	data := make([]byte, 0, size+sha256.Size)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s:%d:0", seed, index))
	for part := 1; len(data) < size; part++ {
		data = append(data, sum[:]...)
		if !repeat {
			sum = sha256.Sum256(fmt.Appendf(nil, "%s:%d:%d", seed, index, part))
		}
	}
	data = data[:size]
	hash, err := mh.Sum(data, mh.SHA2_256, -1)
	if err != nil {
		return nil, err
	}
	return blocks.NewBlockWithCid(data, cid.NewCidV1(cid.Raw, hash))
}
