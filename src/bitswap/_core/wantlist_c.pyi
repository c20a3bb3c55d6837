from bitswap._core.wantlist_py import Wantlist as Wantlist
