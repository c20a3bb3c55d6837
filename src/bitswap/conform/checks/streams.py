"""How messages travel: one stream or many, in pieces or together, whole or broken off."""

from __future__ import annotations

from bitswap.cid import CID
from bitswap.conform import wire
from bitswap.conform.check import BOXO, FRAMES, MESSAGES, Checks
from bitswap.conform.ear import Ear, Fate
from bitswap.conform.peer import Peer
from bitswap.conform.talk import HAVE_WANT, Talk, unknown_cid, unknown_cids
from bitswap.conform.verdict import NotSpoken, Result, differs, failed, passed
from bitswap.message import Message

CHECKS = Checks()


def _question(talk: Talk) -> tuple[CID, bytes]:
    """(CID, frame) of a want for what nobody has."""
    cid = unknown_cid()
    message = Message()
    message.add_entry(cid, 1, HAVE_WANT, True)
    talk.note([(cid, True)])
    return cid, message.to_frame()


@CHECKS.add("many-messages-one-stream", "one stream carries many messages", f"{MESSAGES} 1.2")
def many_messages(peer: Peer) -> Result:
    with peer.talk() as talk:
        ear = talk.main
        cids = unknown_cids(200)
        for cid in cids:
            talk.want([cid], HAVE_WANT, ear=ear)
        talk.await_answers(cids)
        count = len(talk.answered(cids))
        fate = ear.fate
    if count == len(cids):
        return passed("200 messages on one stream, 200 answers")
    return failed(f"{count} of 200 messages on one stream were answered, and the stream is {fate.value}")


@CHECKS.add("one-message-a-stream", "each message may come on a stream of its own", MESSAGES)
def one_message_a_stream(peer: Peer) -> Result:
    with peer.talk() as talk:
        cids = unknown_cids(64)
        for cid in cids:
            ear = talk.line.open()
            talk.want([cid], HAVE_WANT, ear=ear)
            ear.stream.end()
        talk.await_answers(cids)
        count = len(talk.answered(cids))
    if count == len(cids):
        return passed("64 streams of one message, 64 answers")
    return failed(f"{count} of 64 streams of one message were answered")


@CHECKS.add(
    "many-streams-open",
    "200 streams are open at once and all are read",
    "libp2p yamux (256 streams are usual); no rule of Bitswap",
)
def many_streams_open(peer: Peer) -> Result:
    with peer.talk() as talk:
        cids = unknown_cids(200)
        ears: list[Ear] = []
        for cid in cids:
            try:
                ears.append(talk.line.open())
            except NotSpoken:
                # Reset before it could be agreed what it is for.
                continue
            talk.want([cid], HAVE_WANT, ear=ears[-1])
        talk.await_answers(cids, 3 * peer.patience)
        count = len(talk.answered(cids))
        gone = len(cids) - len(ears) + sum(ear.fate is Fate.RESET for ear in ears)
        for ear in ears:
            ear.stream.end()
        talk.line.wait(lambda: talk.line.settled(ears), peer.patience)
        talk.barrier()
    if count == len(cids):
        return passed("200 open streams, 200 answers")
    return differs(f"{count} of 200 answered, {gone} streams reset; afterwards it answers as before")


@CHECKS.add("tiny-pieces", "a message may come byte by byte", FRAMES)
def tiny_pieces(peer: Peer) -> Result:
    with peer.talk() as talk:
        ear = talk.main
        cid, frame = _question(talk)
        for at in range(len(frame)):
            ear.write(frame[at : at + 1])
            talk.line.wait(lambda: True)
        came = talk.await_answers([cid])
    if came:
        return passed(f"{len(frame)} bytes in {len(frame)} pieces: answered")
    return failed("no answer to a message that came byte by byte")


@CHECKS.add("joined-messages", "several messages may come in one piece", FRAMES)
def joined_messages(peer: Peer) -> Result:
    with peer.talk() as talk:
        questions = [_question(talk) for _ in range(50)]
        talk.main.write(b"".join(frame for _, frame in questions))
        cids = [cid for cid, _ in questions]
        talk.await_answers(cids)
        count = len(talk.answered(cids))
    if count == len(cids):
        return passed("50 messages in one piece, 50 answers")
    return failed(f"{count} of 50 messages in one piece were answered")


@CHECKS.add(
    "slow-writer",
    "a stream that stops inside a message holds up no other, and its message counts once it is whole",
    f"{FRAMES}; {BOXO}, which sets no time limit for reading",
)
def slow_writer(peer: Peer) -> Result:
    with peer.talk() as talk:
        slow = [(talk.line.open(), *_question(talk)) for _ in range(8)]
        for at, (ear, _, frame) in enumerate(slow):
            ear.write(frame[: 1 + at * 5])
        talk.barrier()
        for at, (ear, _, frame) in enumerate(slow):
            ear.write(frame[1 + at * 5 :])
        cids = [cid for _, cid, _ in slow]
        talk.await_answers(cids)
        count = len(talk.answered(cids))
        gone = sum(ear.fate is not Fate.OPEN for ear, _, _ in slow)
    if count == len(slow):
        return passed("other streams were answered meanwhile, and all 8 messages when they were whole")
    return differs(
        f"other streams were answered meanwhile; of 8 slow messages {count}, {gone} streams were closed"
    )


@CHECKS.add(
    "half-open-streams",
    "streams on which nothing comes, or that are ended at once, hold up no other",
    "no rule of Bitswap; anybody can open them",
)
def half_open(peer: Peer) -> Result:
    with peer.talk() as talk:
        for _ in range(32):
            talk.line.open()
        for _ in range(32):
            talk.line.open().stream.end()
        talk.barrier()
    return passed("32 silent streams and 32 empty ones; others are answered")


@CHECKS.add(
    "unnegotiated-streams",
    "streams that never say what they are for hold up no other",
    "libp2p connections: multistream-select",
)
def unnegotiated(peer: Peer) -> Result:
    with peer.talk() as talk:
        session = talk.line.connection.session
        for at in range(32):
            stream = session.open_stream(_Nobody())
            if at % 2:
                stream.write(b"\x13/multistream")
        talk.barrier()
    return passed("32 such streams; others are answered")


class _Nobody:
    """Handler of a stream that is of no interest."""

    def data_received(self, data: memoryview) -> None: ...
    def end_received(self) -> None: ...
    def closed(self, error: BaseException | None) -> None: ...
    def drained(self) -> None: ...


@CHECKS.add(
    "reset-in-message",
    "a stream that is reset in the middle of a message harms no other",
    f"libp2p streams; {BOXO}",
)
def reset_in_message(peer: Peer) -> Result:
    with peer.talk() as talk:
        for _ in range(32):
            ear = talk.line.open()
            _, frame = _question(talk)
            ear.write(frame[:20])
            talk.line.wait(lambda: True)
            ear.stream.reset()
        talk.barrier()
    return passed("32 streams reset; others are answered")


@CHECKS.add(
    "reset-answers",
    "goes on to answer when the asker resets the streams of its answers",
    f"{MESSAGES} 2; {BOXO}, which opens a new stream for each answer",
)
def reset_answers(peer: Peer) -> Result:
    with peer.talk() as talk:
        for _ in range(5):
            talk.barrier()
            for ear in talk.line.ears:
                if not ear.stream.closed:
                    ear.stream.reset()
        talk.line.wait(lambda: True)
        cid = unknown_cid()
        talk.want([cid], HAVE_WANT)
        if not talk.await_answers([cid], peer.patience):
            # The answer may have been lost with its stream: what is asked again is answered.
            talk.barrier()
            return differs("an answer was lost with its stream; the next one came")
    return passed("five resets, and the next answer came")


@CHECKS.add(
    "oversized-message",
    "more than 4 MiB announced closes at most that stream",
    f"{FRAMES}: MUST be at most 4 MiB",
)
def oversized_message(peer: Peer) -> Result:
    fates: list[str] = []
    with peer.talk() as talk:
        for size in (4 * 1024 * 1024 + 1, 2**31, 2**62):
            ear = talk.line.open()
            ear.write(wire.varint(size) + b"\x0a\x00")
            talk.line.wait(lambda ear=ear: ear.fate is not Fate.OPEN, peer.patience)  # type: ignore[misc]
            fates.append(ear.fate.value)
        talk.barrier()
    if set(fates) == {"reset"}:
        return passed("the streams were reset, others are answered")
    return differs(f"the streams are {', '.join(fates)}; others are answered")
