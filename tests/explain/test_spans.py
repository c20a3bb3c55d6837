"""What a tracer that wants spans is told: names, attributes, events, and how they end."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest

from bitswap import Bitswap, BitswapError, NotFound, aio
from bitswap.blockstore import MemoryBlockstore
from bitswap.message import Message
from bitswap.routing import Provider, RoutingError
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
    assert sorted(tracer.names()) == ["GetBlock", "ProviderQueryManager.FindProvidersAsync"]
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
    assert [span.ends for span in tracer.spans] == [[error]]


def test_of_a_search_that_is_cut_off(hub: LoopbackHub) -> None:
    tracer = Tracer()
    router = Waiting()
    node = Bitswap(hub.network("ours"), MemoryBlockstore(), tracer=tracer, routing=router)
    with node as ours, ours.getter() as getter:
        getter.want(cids_of(make_blocks(1)))
        assert router.stream.waits.wait(SECONDS)
    assert tracer.names() == ["ProviderQueryManager.FindProvidersAsync"]
