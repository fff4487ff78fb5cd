"""Which backend and pool a share goes to: filters say why not, weighers say how gladly. Pure.

After Manila's filter scheduler: the filters' names say what they look at, their verdicts are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from share_actors.capabilities import Placement, ShareType, truth
from share_actors.values import Capabilities, Frozen, Pool

DEFAULT_ZONE = "nova"


class Request(Frozen):
    """What a share asks for. *only*: the backend (or `backend#pool`) that was asked for by name."""

    share_id: str
    size: int
    share_proto: str
    only: str | None = None
    share_type: ShareType | None = None
    on_server: bool = False
    """It is to be on a share server: a share network was given."""
    availability_zone: str | None = None
    snapshot_on: str | None = None
    """Where the snapshot that it is made from is."""
    same_as: Mapping[str, str] = {}
    """It must be where these shares are: hosts by share id. A share that is nowhere has ''."""
    different_from: Mapping[str, str] = {}


class Host(Frozen):
    """A pool as the scheduler sees it: what its backend published, and what was decided since.

    *provisioned*: GiB of all shares that are there or decided to go there. *since*: of those, what was
    decided after the backend measured its free capacity. *down*: why it takes no shares.
    """

    backend: str
    said: Capabilities
    pool: Pool
    provisioned: float = 0.0
    since: float = 0.0
    down: str | None = None

    @property
    def name(self) -> str:
        return f"{self.backend}#{self.pool.name}"

    @property
    def usable(self) -> float:
        """GiB that shares may have in all: the total less what is reserved."""
        return self.pool.total_capacity_gib * (1 - self.pool.reserved_percentage / 100)

    @property
    def room(self) -> float:
        """The largest share that fits, in GiB."""
        pool = self.pool
        reserved = pool.total_capacity_gib - self.usable
        free = pool.free_capacity_gib - reserved
        if pool.thin_provisioning:
            ratio = pool.max_over_subscription_ratio
            return min(self.usable * ratio - self.provisioned, free * ratio)
        return min(self.usable - self.provisioned, free - self.since)


# -- filters: why not, or None -------------------------------------------------------------------
def _backend(asked: Request, host: Host) -> str | None:
    if asked.only is not None and asked.only not in (host.backend, host.name):
        return f"{asked.only} was asked for"
    return host.down


def _zone(asked: Request, host: Host) -> str | None:
    there = host.said.availability_zone
    if asked.availability_zone in (None, there):
        return None
    return f"it is in {there}, not in {asked.availability_zone}"


def _protocol(asked: Request, host: Host) -> str | None:
    known = host.said.storage_protocols
    return None if asked.share_proto in known else f"it speaks {', '.join(known) or 'nothing'}"


def _servers(asked: Request, host: Host) -> str | None:
    """A type that says nothing of servers leaves it to whether a share network was given."""
    handles = host.said.driver_handles_share_servers
    wanted = None if asked.share_type is None else asked.share_type.handles_servers
    if wanted is not None and wanted != handles:
        return f"the share type wants driver_handles_share_servers={wanted}"
    if asked.on_server and not handles:
        return "it has no share servers, and a share network was given"
    if handles and not asked.on_server:
        return "its shares are on share servers, and no share network was given"
    return None


def _capabilities(asked: Request, host: Host) -> str | None:
    if asked.share_type is None:
        return None
    said = told_by(host)
    for key, wanted in asked.share_type.extra_specs.items():
        name = _plain(key)
        if name is None or name == "driver_handles_share_servers":
            continue
        if name not in said:
            return f"it says nothing of {name}, which must be {wanted}"
        if not satisfies(said[name], wanted):
            return f"its {name} is {said[name]!r}, and must be {wanted}"
    return None


def _capacity(asked: Request, host: Host) -> str | None:
    room = host.room
    if asked.size <= room:
        return None
    taken = f"{host.provisioned:g} of {host.pool.total_capacity_gib:g} GiB are provisioned"
    return f"{asked.size} GiB do not fit into {max(room, 0.0):.6g} GiB ({taken})"


def _snapshot(asked: Request, host: Host) -> str | None:
    on = asked.snapshot_on
    return None if on in (None, host.name, host.backend) else f"the snapshot is on {on}"


def _affinity(asked: Request, host: Host) -> str | None:
    for share_id, on in asked.same_as.items():
        if on not in (host.name, host.backend):
            return f"share {share_id}, with which it must be, is on {on or 'no backend'}"
    return None


def _anti_affinity(asked: Request, host: Host) -> str | None:
    for share_id, on in asked.different_from.items():
        if on in (host.name, host.backend):
            return f"share {share_id}, from which it must be apart, is here"
    return None


FILTERS: Mapping[str, Callable[[Request, Host], str | None]] = {
    "backend": _backend,
    "availability_zone": _zone,
    "protocol": _protocol,
    "share_servers": _servers,
    "capabilities": _capabilities,
    "capacity": _capacity,
    "snapshot": _snapshot,
    "affinity": _affinity,
    "anti_affinity": _anti_affinity,
}


# -- weighing ------------------------------------------------------------------------------------
NAMES = " ".join(FILTERS)
CAPACITY = "capacity"
"""The one filter whose verdict changes with every decision."""


def place(
    asked: Request, hosts: Iterable[Host], *, capacity: float = 1.0, goodness: float = 1.0
) -> tuple[Host | None, Placement]:
    """The pool for *asked*, None if no pool will do, and what every filter said of every pool.

    *capacity* and *goodness* are how much free room and the backend's own opinion count.
    """
    known = list(hosts)
    fixed = {host.name: refusals(asked, host) for host in known}
    return decide(asked, known, fixed, capacity=capacity, goodness=goodness)


def refusals(asked: Request, host: Host) -> dict[str, str]:
    """Why *host* will not do, by filter, whatever room it has."""
    said = ((name, why(asked, host)) for name, why in FILTERS.items() if name != CAPACITY)
    return {name: reason for name, reason in said if reason is not None}


def decide(
    asked: Request,
    hosts: Sequence[Host],
    fixed: Mapping[str, dict[str, str]],
    *,
    capacity: float = 1.0,
    goodness: float = 1.0,
) -> tuple[Host | None, Placement]:
    """As `place`, with the refusals that do not depend on room given as *fixed*."""
    refused: dict[str, dict[str, str]] = {}
    fit: list[tuple[Host, float]] = []
    for host in hosts:
        full, room = None, host.room
        if asked.size > room:
            full = _capacity(asked, host)
        known = fixed[host.name]
        if full is not None:
            refused[host.name] = {**known, CAPACITY: full}
        elif known:
            refused[host.name] = known
        else:
            fit.append((host, room))
    most = max((room for _, room in fit), default=0.0)
    weights = {
        host.name: round(
            capacity * (room / most if most > 0 else 0.0) + goodness * host.pool.goodness / 100, 4
        )
        for host, room in fit
    }
    chosen = max(fit, key=lambda one: weights[one[0].name], default=(None, 0.0))[0]
    return chosen, Placement(filters=NAMES, refused=refused, weights=weights)


def no_valid_host(placement: Placement) -> str:
    """Why a share can be nowhere, in one sentence."""
    if not placement.refused:
        return "no valid host: no backend has told of a pool yet"
    said = (f"{pool}: {'; '.join(why.values())}" for pool, why in placement.refused.items())
    return "no valid host: " + "; ".join(said)


# -- capabilities and requirements ---------------------------------------------------------------
def told_by(host: Host) -> dict[str, Any]:
    """All that is said of a pool, by name: the pool's own words win over the backend's."""
    said = {k: v for k, v in host.said.__dict__.items() if k not in ("pools", "capabilities")}
    own = {k: v for k, v in host.pool.__dict__.items() if k not in ("name", "capabilities")}
    return {**said, **host.said.capabilities, **own, **host.pool.capabilities}


def _plain(key: str) -> str | None:
    """The capability that an extra spec is about; None for another scope's, such as `qos:`."""
    scope, colon, name = key.rpartition(":")
    return name if not colon or scope == "capabilities" else None


_NUMBERS: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a >= b,  # Manila's: at least
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
}
_WORDS: Mapping[str, Callable[[str, str], bool]] = {
    "s==": lambda a, b: a == b,
    "s!=": lambda a, b: a != b,
    "s>=": lambda a, b: a >= b,
    "s<=": lambda a, b: a <= b,
    "s>": lambda a, b: a > b,
    "s<": lambda a, b: a < b,
}


def check_requirement(key: str, wanted: str) -> None:
    """Raise ValueError unless *wanted* can be asked of the capability *key*."""
    op, _, rest = wanted.strip().partition(" ")
    if op in _NUMBERS and _number(rest) is None:
        raise ValueError(f"{key}: {rest!r} after {op!r} is no number")
    if op == "<is>" and truth(rest) is None:
        raise ValueError(f"{key}: {rest!r} after '<is>' is not true or false")
    if op in ("<in>", "<or>", *_WORDS) and not rest.strip():
        raise ValueError(f"{key}: nothing follows {op!r}")


def satisfies(said: Any, wanted: str) -> bool:
    """Whether the capability *said* meets *wanted*, in the words of Manila's extra specs."""
    if isinstance(said, list | tuple):
        return any(satisfies(one, wanted) for one in said)
    op, _, rest = wanted.strip().partition(" ")
    rest = rest.strip()
    if op in _NUMBERS:
        a, b = _number(said), _number(rest)
        return a is not None and b is not None and _NUMBERS[op](a, b)
    if op in _WORDS:
        return _WORDS[op](str(said), rest)
    if op == "<is>":
        return truth(str(said)) is truth(rest)
    if op == "<in>":
        return rest in str(said)
    if op == "<or>":
        return str(said) in [one.strip() for one in wanted.split("<or>") if one.strip()]
    return _same(said, wanted.strip())


def _same(said: Any, wanted: str) -> bool:
    if isinstance(said, bool):
        return truth(wanted) is said
    a, b = _number(said), _number(wanted)
    return a == b if a is not None and b is not None else str(said) == wanted


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
