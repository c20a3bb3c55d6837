"""CAR files: the blocks of a graph one after the other in a file (IPLD, CARv1; CARv2 is read, too).

`read_car(file)` iterates over verified blocks, `write_car(file, roots, blocks)` writes them.
`graph_blocks(source, root)` gives the blocks of a graph in the order in which a CAR has them, `store_blocks`
puts those of a CAR into a store.
"""

from bitswap.car.errors import CarError, CarMismatch, CarTruncated
from bitswap.car.graph import graph_blocks
from bitswap.car.reader import CarReader, read_car
from bitswap.car.storing import store_blocks
from bitswap.car.writer import write_car

__all__ = [
    "CarError",
    "CarMismatch",
    "CarReader",
    "CarTruncated",
    "graph_blocks",
    "read_car",
    "store_blocks",
    "write_car",
]
