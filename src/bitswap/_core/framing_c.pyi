from bitswap._core.framing_py import FrameReader as FrameReader
