"""Bitswap, the block exchange of IPFS."""
