"""The interop matrix: our node and each other implementation, both ways, over each secure channel.

`python -m tests.interop.matrix` builds the peers, runs every cell and writes docs/interop.md. A peer is one
module in `peers/`; `peer.py` says what that has to give, and `peers/README.md` what its program has to do.
"""
