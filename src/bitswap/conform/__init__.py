"""Whether a peer behaves as Bitswap nodes must: named checks over a connection, each with a verdict."""
