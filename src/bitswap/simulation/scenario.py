"""What a simulation is made of: nodes, links, blocks, who has them, who fetches them, and what goes wrong.

Times are seconds of virtual time, sizes bytes, rates bytes a second. Every object is checked when it is made
and raises UsageError; whatever is drawn at random follows from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bitswap.errors import UsageError
from bitswap.message.protocols import PROTOCOLS
from bitswap.options import ClientOptions, ServerOptions
from bitswap.testnet.delays import Delay, fixed
from bitswap.testnet.rates import Rate

EVERYBODY = "*"
"""Stands for all groups of nodes."""

HOLDINGS = ("all", "random", "overlap", "ranges")
PATTERNS = ("all", "one-at-a-time", "batches", "concurrent", "unixfs", "unixfs-large", "arrivals")
FAULTS = ("cut", "leave", "mute", "slow")


def require(condition: bool, message: str) -> None:
    if not condition:
        raise UsageError(message)


@dataclass(frozen=True)
class Group:
    """`count` nodes alike, named `name` or, if there are several, `name`-0, `name`-1…"""

    name: str
    count: int = 1
    protocol: str = "1.2.0"
    """The newest protocol they speak: 1.2.0; 1.1.0, which knows no HAVE and no DONT_HAVE; 1.0.0."""
    dont_haves: bool = True
    """Whether they say DONT_HAVE to whoever asks for that."""
    serves: bool = True
    store_latency: float = 0.0
    """Seconds to read the blocks of one answer."""
    client: ClientOptions = field(default_factory=ClientOptions)
    server: ServerOptions = field(default_factory=ServerOptions)

    def __post_init__(self) -> None:
        require(bool(self.name) and self.name != EVERYBODY, "a group of nodes needs a name of its own")
        require(self.count >= 1, f"{self.name}: count must be at least 1")
        require(self.store_latency >= 0, f"{self.name}: store_latency must not be negative")
        require(self.protocol_id in PROTOCOLS, f"{self.name}: there is no protocol {self.protocol!r}")

    @property
    def protocol_id(self) -> str:
        return f"/ipfs/bitswap/{self.protocol}"


@dataclass(frozen=True)
class Links:
    """Connections between the nodes of two groups, every node with every one unless `degree` is given."""

    first: str = EVERYBODY
    second: str = EVERYBODY
    degree: int | None = None
    """Each node of `first` is linked to so many of `second`, at random; those of others come on top."""
    delay: Delay | None = None
    """One way, drawn for each direction; None = that of the network."""
    rate: Rate | None = None

    def __post_init__(self) -> None:
        require(self.degree is None or self.degree >= 1, "degree must be at least 1")


@dataclass(frozen=True)
class Blocks:
    """`count` blocks of `size` bytes of which the first, the root, has `root_size`."""

    count: int = 100
    size: int = 8000
    root_size: int | None = None
    cid_version: int = 1
    """0: CIDv0, which alone the protocols below 1.1.0 can carry; 1: CIDv1, raw."""

    def __post_init__(self) -> None:
        require(self.count >= 1, "blocks: count must be at least 1")
        require(self.size >= 1, "blocks: size must be at least 1")
        require(self.root_size is None or self.root_size >= 1, "blocks: root_size must be at least 1")
        require(self.cid_version in (0, 1), "blocks: cid_version is 0 or 1")


@dataclass(frozen=True)
class Holding:
    """Who has which of the blocks `first` to `last` (without `last`) when it begins.

    "all": every node of the group has all of them. "random": `copies` nodes of the group have each.
    "overlap": everybody has every third block, and of the others the first node those of even number, the
    second those of odd number, and so on for more nodes. "ranges": node i has those of `ranges`[i] = (first,
    last).
    """

    nodes: str
    kind: str = "all"
    first: int = 0
    last: int | None = None
    copies: int = 1
    ranges: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        require(self.kind in HOLDINGS, f"holdings: kind is one of {', '.join(HOLDINGS)}, not {self.kind!r}")
        require(self.copies >= 1, "holdings: copies must be at least 1")
        require(bool(self.ranges) == (self.kind == "ranges"), 'holdings: ranges belong to kind = "ranges"')


@dataclass(frozen=True)
class Fetching:
    """What every node of a group fetches, and how. See `patterns` for what the patterns do.

    `first` to `last` (without `last`) are the blocks, or a `sample` of so many of them, in random order.
    """

    nodes: str
    pattern: str = "all"
    first: int = 0
    last: int | None = None
    sample: int | None = None
    batch: int = 10
    """Blocks of a request: "batches", and the later rounds of "unixfs-large"."""
    parallel: int = 5
    """Requests at a time in the later rounds of "unixfs-large"."""
    every: float = 0.1
    """Seconds from one request to the next: "arrivals"."""
    sessions: str = "one"
    """"one" for all requests of a node, or a session for "each" request."""
    peers: str | None = None
    """The group whose nodes are named to the session; None = it finds its peers itself."""
    broadcast: bool = True
    """False: only named peers are ever asked."""
    keep: bool = False
    """Whether what is fetched is stored and served to others."""
    start: float = 0.0
    spread: float = 0.0
    """Each node starts at `start` and a random part of so many seconds."""
    timeout: float | None = None
    """Seconds after which a request is given up; None = never."""

    def __post_init__(self) -> None:
        require(
            self.pattern in PATTERNS, f"fetch: pattern is one of {', '.join(PATTERNS)}, not {self.pattern!r}"
        )
        require(
            self.sessions in ("one", "each"), f'fetch: sessions is "one" or "each", not {self.sessions!r}'
        )
        for name in ("batch", "parallel", "sample"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"fetch: {name} must be at least 1")
        require(self.start >= 0 and self.spread >= 0, "fetch: start and spread must not be negative")
        require(self.every > 0, "fetch: every must be positive")
        require(self.timeout is None or self.timeout > 0, "fetch: timeout must be positive")
        require(
            self.broadcast or self.peers is not None, "fetch: without broadcast there must be named peers"
        )


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong at `at`, for `lasts` seconds or for good, again `every` so many seconds.

    "cut": links between `nodes` and `others` are lost, `count` of them chosen at random, else all. "leave":
    `count` nodes lose all their links. "mute": `count` nodes answer nothing. "slow": links, chosen as for
    "cut", get `latency` and `rate`.
    """

    kind: str
    nodes: str = EVERYBODY
    others: str = EVERYBODY
    at: float = 0.0
    lasts: float | None = None
    every: float | None = None
    until: float | None = None
    """When `every` ends; None = with the run."""
    count: int | None = None
    latency: float | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        require(self.kind in FAULTS, f"faults: kind is one of {', '.join(FAULTS)}, not {self.kind!r}")
        require(self.at >= 0, "faults: at must not be negative")
        for name in ("lasts", "every", "count", "rate"):
            value = getattr(self, name)
            require(value is None or value > 0, f"faults: {name} must be positive")
        given = self.latency is not None or self.rate is not None
        require(given == (self.kind == "slow"), 'faults: latency and rate belong to kind = "slow"')


@dataclass(frozen=True)
class Scenario:
    """A whole experiment; `run` it with `simulation.simulate`."""

    name: str
    nodes: tuple[Group, ...]
    blocks: Blocks = field(default_factory=Blocks)
    holdings: tuple[Holding, ...] = ()
    fetches: tuple[Fetching, ...] = ()
    links: tuple[Links, ...] = (Links(),)
    faults: tuple[Fault, ...] = ()
    delay: Delay = field(default_factory=lambda: fixed(0.01))
    """One way, drawn for each direction of a connection."""
    rate: Rate | None = None
    """Bytes a second, drawn for each direction; None = no limit."""
    jitter: Delay | None = None
    """Drawn for each message on top."""
    paced: bool = True
    """Whether a sender waits until its message has left before it makes the next one for that peer."""
    wire: bool = True
    """Whether messages are really encoded, and blocks verified; without it large swarms run faster."""
    seconds: float = 600.0
    """When the run is ended although somebody still waits."""
    settle: float = 0.0
    """Seconds that the run goes on after everybody is done, to count what comes late."""
    seed: int = 0

    def __post_init__(self) -> None:
        names = [group.name for group in self.nodes]
        require(bool(names), "a scenario needs nodes")
        require(len(set(names)) == len(names), "two groups of nodes have one name")
        known = {*names, EVERYBODY}
        used = [holding.nodes for holding in self.holdings]
        used += [name for fault in self.faults for name in (fault.nodes, fault.others)]
        used += [fetch.nodes for fetch in self.fetches]
        used += [name for links in self.links for name in (links.first, links.second)]
        used += [fetch.peers for fetch in self.fetches if fetch.peers is not None]
        for name in used:
            require(name in known, f"there are no nodes {name!r}; there are {', '.join(names)}")
        parts = [(holding.first, holding.last) for holding in self.holdings]
        parts += [(fetch.first, fetch.last) for fetch in self.fetches]
        for first, given in parts:
            last = self.blocks.count if given is None else given
            require(0 <= first < last <= self.blocks.count, f"there are no blocks {first} to {last}")
        require(self.seconds > 0, "seconds must be positive")
        require(self.settle >= 0, "settle must not be negative")

    def with_seed(self, seed: int) -> Scenario:
        """The same with other random numbers."""
        return replace(self, seed=seed)
