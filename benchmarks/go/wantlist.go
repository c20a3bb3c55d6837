package main

import (
	"github.com/ipfs/boxo/bitswap/client/wantlist"
	pb "github.com/ipfs/boxo/bitswap/message/pb"
	"github.com/ipfs/go-cid"
)

func wantlistOperations() []operation {
	var out []operation
	for _, count := range []int{10_000, 1_000_000} {
		out = append(out,
			onWantlist("add", count, false, func(list *wantlist.Wantlist, all []cid.Cid) { addAll(list, all) }),
			onWantlist("has", count, true, func(list *wantlist.Wantlist, all []cid.Cid) {
				for _, c := range all {
					if !list.Has(c) {
						panic("it was added")
					}
				}
			}),
			onWantlist("remove", count, true, func(list *wantlist.Wantlist, all []cid.Cid) {
				for _, c := range all {
					list.Remove(c)
				}
			}))
	}
	return out
}

func onWantlist(name string, count int, full bool, run func(*wantlist.Wantlist, []cid.Cid)) operation {
	return operation{name: "wantlist: " + name + ", " + thousands(count), prepare: func() (func() int, func()) {
		all, list := cids(count), wantlist.New()
		if full {
			addAll(list, all)
		}
		return func() int { run(list, all); return count }, nil
	}}
}

func addAll(list *wantlist.Wantlist, all []cid.Cid) {
	for i, c := range all {
		list.Add(c, int32(i), pb.Message_Wantlist_Block)
	}
}
