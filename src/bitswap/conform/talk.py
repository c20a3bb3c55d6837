"""A conversation with the peer: polite questions, barriers that replace waiting, cancels at the end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType

from bitswap.cid import CID
from bitswap.conform.case import Case
from bitswap.conform.ear import DONT_HAVE, Ear, Fate
from bitswap.conform.line import Line
from bitswap.conform.verdict import Lost, NotSpoken, Silent
from bitswap.message import Message, WantType
from bitswap.message.protocols import BITSWAP_1_2_0, encoder_version

BLOCK_WANT, HAVE_WANT = int(WantType.BLOCK), int(WantType.HAVE)
HIGHEST, LOWEST = 2**31 - 1, -(2**31)
_LEAVE_SECONDS = 1.0


def unknown_cid() -> CID:
    """A CID that nobody has a block for."""
    return CID.v1(0x55, b"\x12\x20" + os.urandom(32))


def unknown_cids(count: int) -> list[CID]:
    return [unknown_cid() for _ in range(count)]


class Talk:
    """One connection and one stream on it that stays polite; a context manager that leaves the peer clean."""

    def __init__(self, line: Line, log: Callable[[Talk], None], protocol: str = BITSWAP_1_2_0) -> None:
        self.line = line
        self.arrivals = line.arrivals
        self.protocol = protocol
        self.asked: set[CID] = set()
        """All that was ever asked for."""
        self.asked_dont_have: set[CID] = set()
        """Those with the wish to be told DONT_HAVE."""
        self._wanted: dict[CID, None] = {}
        self._main: Ear | None = None
        self._log = log

    @property
    def main(self) -> Ear:
        """The polite stream, opened when first needed or when the peer closed it."""
        if self._main is None or self._main.fate is not Fate.OPEN or self._main.stream.closed:
            self._main = self.line.open(self.protocol)
        return self._main

    # Asking.

    def note(self, entries: Iterable[tuple[CID, bool]]) -> None:
        """Remember what is asked (CID, whether for DONT_HAVE too), so that it is cancelled at the end."""
        for cid, dont_have in entries:
            self.asked.add(cid)
            self._wanted[cid] = None
            if dont_have:
                self.asked_dont_have.add(cid)

    def send(self, message: Message, ear: Ear | None = None) -> None:
        """On the polite stream, or on `ear`."""
        self.note((entry.cid, entry.send_dont_have) for entry in message.wantlist() if not entry.cancel)
        for frame in message.to_frames(encoder_version(self.protocol if ear is None else ear.protocol)):
            (ear or self.main).write(frame)

    def want(
        self,
        cids: Sequence[CID],
        want_type: int = BLOCK_WANT,
        *,
        dont_have: bool = True,
        priority: int = 1,
        full: bool = False,
        ear: Ear | None = None,
    ) -> None:
        """Ask for all of `cids` in one message."""
        message = Message(full)
        for cid in cids:
            message.add_entry(cid, priority, want_type, dont_have)
        self.send(message, ear)

    def cancel(self, cids: Iterable[CID]) -> None:
        """Take wants back, in one message."""
        message = Message()
        for cid in cids:
            message.cancel(cid)
        self.send(message)

    # Hearing.

    def of(self, cid: CID) -> list[str]:
        """What was answered about `cid`."""
        return self.arrivals.of(cid)

    def answered(self, cids: Iterable[CID]) -> list[CID]:
        """Those about which something came."""
        return [cid for cid in cids if cid in self.arrivals.answers]

    def await_answers(self, cids: Sequence[CID], seconds: float | None = None) -> bool:
        """Wait until something came about each."""
        return self.line.wait(lambda: all(cid in self.arrivals.answers for cid in cids), seconds)

    def barrier(self, priority: int = 1, ear: Ear | None = None) -> None:
        """Ask for what nobody has and wait for DONT_HAVE: what was sent before is handled. Raises Silent."""
        cid = unknown_cid()
        self.want([cid], HAVE_WANT, priority=priority, ear=ear)
        if not self.await_answers([cid]):
            raise Silent("no DONT_HAVE to an ordinary question in time")
        if self.of(cid) != [DONT_HAVE]:
            raise Silent(f"{', '.join(self.of(cid))} about a block that nobody has")

    def settle(self, rounds: int = 2) -> None:
        """Barriers behind everything that waits: what was not answered now is not going to be."""
        for _ in range(rounds):
            self.barrier(LOWEST)

    # Raw bytes.

    def throw(self, case: Case) -> Ear | None:
        """Send a case of the corpus on a stream of its own; None where its protocol is not spoken."""
        try:
            ear = self.line.open(case.protocol)
        except NotSpoken:
            return None
        self.note(
            (CID(cid), ask)
            for message in case.messages
            for cid, _, _, cancel, ask in message.entries
            if not (cancel or cid.startswith("sha256:"))
        )
        data = case.data
        size = case.pieces or max(1, len(data))
        for at in range(0, len(data), size):
            if not ear.write(data[at : at + size]):
                break
            if case.pieces:
                # Written out at once, so that each piece is a frame of yamux.
                self.line.wait(lambda: True)
        if not ear.stream.closed:
            ear.stream.end()
        return ear

    # The end.

    def leave(self) -> None:
        """Cancel what may still be wanted, and close; never raises."""
        self._log(self)
        line = self.line
        try:
            if line.ended is None:
                line.release()
                self._withdraw()
        except (Lost, NotSpoken, Silent):
            pass
        finally:
            line.close()

    def _withdraw(self) -> None:
        if not self._wanted:
            return
        self.line.deadline = time.monotonic() + _LEAVE_SECONDS
        ear = self.main
        message = Message()
        for cid in self._wanted:
            message.cancel(cid)
        self.send(message, ear)
        ear.stream.end()
        self.line.wait(lambda: ear.fate is not Fate.OPEN)

    def drop(self, patience: float = 0.0) -> None:
        """Break the connection off without a word; wait so long for the peer to notice."""
        self._log(self)
        if patience:
            self.line.part(patience)
        else:
            self.line.hang_up()

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
