"""One session: wants that belong together and the peers that are asked for them (boxo `session`)."""

from bitswap.session.reasons import Failure
from bitswap.session.session import Session
from bitswap.session.want import Want, Wants

__all__ = ["Failure", "Session", "Want", "Wants"]
