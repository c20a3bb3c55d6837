"""What a tracer that wants spans is told: names, attributes, events, and how they end."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest

from bitswap import Bitswap, BitswapError, NotFound, Options, aio
from bitswap.blockstore import MemoryBlockstore
from bitswap.message import Message
from bitswap.options import ClientOptions, RoutingOptions
from bitswap.routing import Provider, RoutingError
from bitswap.spans import PREFIX, Telling
from bitswap.testnet import LoopbackHub
from bitswap.testutils import cids_of, make_blocks
from tests.client.waiting import until
from tests.routing.routers import Scripted, Waiting

pytestmark = pytest.mark.timeout(60)
SECONDS = 20.0
"""Longer than anything here takes; nothing waits for it to pass."""


class Span:
    def __init__(self, name: str, attributes: dict[str, object]) -> None:
        self.name = name
        self.attributes = attributes
        self.events: list[tuple[str, dict[str, object]]] = []
        self.ends: list[BaseException | None] = []

    def event(self, name: str, **attributes: object) -> None:
        self.events.append((name, attributes))

    def end(self, error: BaseException | None) -> None:
        self.ends.append(error)


class Tracer:
    def __init__(self) -> None:
        self.spans: list[Span] = []

    def message_received(self, peer: str, message: Message) -> None: ...

    def message_sent(self, peer: str, message: Message) -> None: ...

    def start_span(self, name: str, **attributes: object) -> Span:
        self.spans.append(Span(name, attributes))
        return self.spans[-1]

    def names(self) -> list[str]:
        assert all(len(span.ends) == 1 for span in self.spans)
        return [span.name.removeprefix("Bitswap.Client.") for span in self.spans]


class Broken(Tracer):
    """Fails at one call after the other."""

    def start_span(self, name: str, **attributes: object) -> Span:
        class Failing(Span):
            def event(self, name: str, **attributes: object) -> None:
                raise RuntimeError("no events")

            def end(self, error: BaseException | None) -> None:
                super().end(error)
                raise RuntimeError("no end")

        self.spans.append(Failing(name, attributes))
        if len(self.spans) % 2:
            raise RuntimeError("no spans")
        return self.spans[-1]


def test_of_a_node(hub: LoopbackHub) -> None:
    tracer = Tracer()
    blocks = make_blocks(20)
    with (
        Bitswap(hub.network("ours"), MemoryBlockstore(), tracer=tracer) as ours,
        Bitswap(hub.network("theirs"), MemoryBlockstore()) as theirs,
    ):
        theirs.add_blocks(blocks)
        ours.connect("/loopback/theirs")
        ours.get_block(blocks[0].cid, timeout=SECONDS)
        list(ours.get_blocks(cids_of(blocks[:10]), timeout=SECONDS))
        with ours.new_session() as session:
            session.get_block(blocks[10].cid, timeout=SECONDS)
            left = session.get_blocks(cids_of(blocks[11:]), timeout=SECONDS)
            assert len(list(islice(left, 2))) == 2
            left.close()  # type: ignore[attr-defined]
        ours.add_block(blocks[0])
        with ours.new_session(peers=["x"], broadcast=False) as session, pytest.raises(NotFound):
            session.get_block(make_blocks(1, seed="absent")[0].cid)
        list(ours.client.get_blocks(cids_of(blocks[:1]), timeout=SECONDS))
    assert tracer.names() == [
        "GetBlock",
        "GetBlocks",
        "NewSession",
        "Session.GetBlock",
        "Session.GetBlocks",
        "NotifyNewBlocks",
        "NewSession",
        "Session.GetBlock",
        "GetBlocks",
    ]
    first, many, *_ = tracer.spans
    assert first.attributes == {"cid": blocks[0].cid}
    assert {name for name, _ in many.events} == {"received block"}
    assert {event["cid"] for _, event in many.events} == set(cids_of(blocks[:10]))
    assert tracer.spans[5].attributes == {"blocks": 1}
    errors = [span.ends[0] for span in tracer.spans]
    assert [type(error) for error in errors if error is not None] == [NotFound]
    assert isinstance(errors[7], BitswapError)


def test_for_asyncio(hub: LoopbackHub) -> None:
    tracer = Tracer()
    blocks = make_blocks(10)

    async def main() -> None:
        async with aio.Bitswap(hub.network("ours"), MemoryBlockstore(), tracer=tracer) as node:
            await node.connect("/loopback/theirs")
            await node.get_block(blocks[0].cid, timeout=SECONDS)
            async with node.new_session() as session:
                seen = [block async for block in session.get_blocks(cids_of(blocks), timeout=SECONDS)]
                assert len(seen) == 10
                await session.get_block(blocks[0].cid)

    with Bitswap(hub.network("theirs"), MemoryBlockstore()) as theirs:
        theirs.add_blocks(blocks)
        asyncio.run(main())
    assert tracer.names() == ["GetBlock", "NewSession", "Session.GetBlocks", "Session.GetBlock"]
    assert len(tracer.spans[2].events) == 10


class Plain:
    """A tracer that wants no spans."""

    def message_received(self, peer: str, message: Message) -> None: ...

    def message_sent(self, peer: str, message: Message) -> None: ...


@pytest.mark.parametrize("tracer", [Broken(), Plain()], ids=["broken", "plain"])
def test_a_tracer_that_fails_or_wants_none_harms_nobody(hub: LoopbackHub, tracer: Broken | Plain) -> None:
    blocks = make_blocks(5)
    with (
        Bitswap(hub.network("ours"), MemoryBlockstore(), tracer=tracer) as ours,
        Bitswap(hub.network("theirs"), MemoryBlockstore()) as theirs,
    ):
        theirs.add_blocks(blocks)
        ours.connect("/loopback/theirs")
        for block in blocks:
            assert ours.client.get_block(block.cid, timeout=SECONDS) == block
        for _ in range(2):
            assert len(list(ours.client.get_blocks(cids_of(blocks), timeout=SECONDS))) == 5
    if isinstance(tracer, Broken):
        assert len(tracer.spans) == 7


def test_of_a_search_for_providers(hub: LoopbackHub) -> None:
    tracer = Tracer()
    (block,) = make_blocks(1)
    routing = Scripted(Provider("theirs", ("/loopback/theirs",)))
    with (
        Bitswap(hub.network("theirs"), MemoryBlockstore()) as theirs,
        Bitswap(hub.network("ours"), MemoryBlockstore(), tracer=tracer, routing=routing) as ours,
    ):
        theirs.add_block(block)
        ours.get_block(block.cid, timeout=SECONDS)
    assert sorted(tracer.names()) == [
        "GetBlock",
        "ProviderQueryManager.FindProvidersAsync",
        "Session.FindMorePeers",
    ]
    (sought,) = [span for span in tracer.spans if span.name.endswith("FindMorePeers")]
    assert sought.attributes == {"cid": block.cid}
    (search,) = [span for span in tracer.spans if "Provider" in span.name]
    assert search.attributes == {"cid": block.cid}
    assert search.events == [("FoundProvider", {"peer": "theirs"})]
    assert search.ends == [None]


def test_of_a_search_that_fails(hub: LoopbackHub) -> None:
    tracer = Tracer()
    error = RoutingError("down")
    routing = Scripted(error=error)
    node = Bitswap(hub.network("ours"), MemoryBlockstore(), tracer=tracer, routing=routing)
    with node as ours, ours.getter() as getter:
        getter.want(cids_of(make_blocks(1)))
        until(lambda: any(span.ends for span in tracer.spans))
    assert [span.ends for span in tracer.spans if "Manager" in span.name] == [[error]]


def test_of_a_search_that_is_cut_off(hub: LoopbackHub) -> None:
    tracer = Tracer()
    router = Waiting()
    node = Bitswap(hub.network("ours"), MemoryBlockstore(), tracer=tracer, routing=router)
    with node as ours, ours.getter() as getter:
        getter.want(cids_of(make_blocks(1)))
        assert router.stream.waits.wait(SECONDS)
    assert sorted(tracer.names()) == ["ProviderQueryManager.FindProvidersAsync", "Session.FindMorePeers"]


def test_of_what_a_session_does_by_itself(hub: LoopbackHub) -> None:
    """Its peers lack the block, and routers name nobody: both are asked again after a while."""
    tracer = Tracer()
    soon = Options(
        client=ClientOptions(retry_delay=0.01),
        routing=RoutingOptions(search_delay=0.01, search_interval=0.01),
    )
    with (
        Bitswap(hub.network("theirs"), MemoryBlockstore()),
        Bitswap(hub.network("ours"), MemoryBlockstore(), soon, tracer=tracer, routing=Scripted()) as ours,
        ours.getter() as getter,
    ):
        ours.connect("/loopback/theirs")
        (cid,) = cids_of(make_blocks(1))
        getter.want([cid])
        found = {"Session.IdleBroadcast", "Session.PeriodicSearch", "Session.FindMorePeers"}
        until(lambda: found <= {span.name.removeprefix(PREFIX) for span in list(tracer.spans)})
    tracer.names()  # each has ended, once
    for span in tracer.spans:
        if span.name.endswith(("IdleBroadcast", "PeriodicSearch")):
            assert span.attributes["wants"] in (0, 1)
            assert span.attributes["session"] == 1
            assert span.ends == [None]
        elif span.name.endswith("FindMorePeers"):
            assert span.attributes == {"cid": cid}


class TestTelling:
    """Moments come from many threads, and a tracer may do what makes new ones."""

    def test_in_order_and_whatever_lasts_ends(self) -> None:
        tracer = Tracer()
        telling = Telling(tracer)
        telling.moments.begin("a", "Longer", number=1)
        telling.moments.note("Short")
        telling.tell()
        longer, short = tracer.spans
        assert (longer.ends, short.ends) == ([], [None])
        telling.moments.end("a")
        telling.moments.end("a")
        telling.tell()
        assert longer.ends == [None]
        assert longer.attributes == {"number": 1}

    def test_a_tracer_that_makes_new_ones(self) -> None:
        class Reentrant(Tracer):
            def start_span(self, name: str, **attributes: object) -> Span:
                if len(self.spans) < 3:
                    telling.moments.note("Next")
                    telling.tell()
                return super().start_span(name, **attributes)

        tracer = Reentrant()
        telling = Telling(tracer)
        telling.moments.note("First")
        telling.tell()
        assert tracer.names() == ["First", "Next", "Next", "Next"]
