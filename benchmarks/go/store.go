package main

import (
	"context"
	"sync/atomic"

	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
)

// mapStore is a map that is only read; another can be put in its place.
type mapStore struct {
	held atomic.Pointer[map[cid.Cid]blocks.Block]
}

var _ blockstore.Blockstore = (*mapStore)(nil)

func newMapStore(held map[cid.Cid]blocks.Block) *mapStore {
	s := &mapStore{}
	s.held.Store(&held)
	return s
}

func (s *mapStore) Get(_ context.Context, c cid.Cid) (blocks.Block, error) {
	if b, found := (*s.held.Load())[c]; found {
		return b, nil
	}
	return nil, ipld.ErrNotFound{Cid: c}
}

func (s *mapStore) GetSize(_ context.Context, c cid.Cid) (int, error) {
	if b, found := (*s.held.Load())[c]; found {
		return len(b.RawData()), nil
	}
	return 0, ipld.ErrNotFound{Cid: c}
}

func (s *mapStore) Has(_ context.Context, c cid.Cid) (bool, error) {
	_, found := (*s.held.Load())[c]
	return found, nil
}

func (s *mapStore) Put(context.Context, blocks.Block) error             { panic("read only") }
func (s *mapStore) PutMany(context.Context, []blocks.Block) error       { panic("read only") }
func (s *mapStore) DeleteBlock(context.Context, cid.Cid) error          { panic("read only") }
func (s *mapStore) AllKeysChan(context.Context) (<-chan cid.Cid, error) { panic("not needed") }
