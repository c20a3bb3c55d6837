# The compiled classes have the signatures of those in Python.
from bitswap._core.wire_py import FrameReader as FrameReader
from bitswap._core.wire_py import Message as Message
