# The compiled class has the signatures of the one in Python.
from bitswap._core.wantlist_py import Wantlist as Wantlist
