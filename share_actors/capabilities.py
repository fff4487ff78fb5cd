"""Share types, and what backends say of themselves: the words of scheduling. Frozen; no I/O."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Field, StringConstraints

from share_actors.values import Capabilities, Frozen, Pool, Value

SpecValue = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class ShareType(Value):
    """What a share can be asked for by one name (Manila's share type).

    `extra_specs`: `driver_handles_share_servers`, `snapshot_support`, and requirements on capabilities,
    such as `thin_provisioning='<is> True'`. A type that is not public is for its `projects` alone.
    """

    id: str = ""
    """Its name."""
    description: str | None = None
    extra_specs: dict[str, str] = {}
    is_public: bool = True
    projects: tuple[str, ...] = ()
    created_at: datetime | None = None
    status: Literal["absent", "active", "deleted"] = "absent"

    @property
    def handles_servers(self) -> bool | None:
        """What it says of driver_handles_share_servers; None if nothing."""
        said = self.extra_specs.get("driver_handles_share_servers")
        return None if said is None else truth(said)


def truth(text: str) -> bool | None:
    """*text* as yes or no, in Manila's spellings; None if it is neither."""
    word = text.removeprefix("<is>").strip().lower()
    if word in ("true", "yes", "on", "1", "t", "y"):
        return True
    return False if word in ("false", "no", "off", "0", "f", "n") else None


class PoolVerdict(Frozen):
    """What the filters said of one pool: the reasons of those that refused it; else what it weighs."""

    pool: str
    """As in a share's `host`: `backend#pool`."""
    refused: dict[str, str] = {}
    weight: float | None = None


class Placement(Frozen):
    """Why a share went where it did: every filter that was asked, and its verdict on every pool.

    As flat as can be, for every creation carries one: the names of the *filters*; by pool, the reasons
    of those that *refused* it; and the *weights* of the pools that none refused.
    """

    filters: str = ""
    refused: dict[str, dict[str, str]] = {}
    weights: dict[str, float] = {}

    @property
    def asked(self) -> tuple[str, ...]:
        """The names of the filters."""
        return tuple(self.filters.split())

    @property
    def pools(self) -> tuple[PoolVerdict, ...]:
        """The verdict on each pool."""
        fit = (PoolVerdict(pool=pool, weight=weight) for pool, weight in self.weights.items())
        unfit = (PoolVerdict(pool=pool, refused=why) for pool, why in self.refused.items())
        return (*fit, *unfit)


class BackendState(Value):
    """A backend as its events tell it (`backend`, its name, is the id)."""

    id: str = ""
    status: Literal["absent", "up", "down"] = "absent"
    reason: str | None = None
    since: datetime | None = None
    """When it came to be so."""
    capabilities: Capabilities | None = None
    """As of the last change that was worth an event."""
    ensured: str | None = None
    """The backend's info (a digest) for which all its shares were ensured."""
    info: str | None = None


class Published(Frozen):
    """One publication of a backend: what it says, or why it says nothing; `wrong` by field."""

    backend: str
    at: datetime
    capabilities: Capabilities | None = None
    reason: str | None = None
    wrong: dict[str, str] = {}


class Misread(Frozen):
    """What of a driver's answer can't be, by field, and what is left of it, if that makes sense."""

    capabilities: Capabilities | None
    wrong: dict[str, Annotated[str, Field(max_length=500)]] = {}


# -- reading what a driver said -------------------------------------------------------------------
_ALIASES = {
    "total_capacity_gb": "total_capacity_gib", "free_capacity_gb": "free_capacity_gib",
    "allocated_capacity_gb": "allocated_capacity_gib", "provisioned_capacity_gb": "provisioned_capacity_gib",
    "pool_name": "name", "share_backend_name": "backend_name", "storage_protocol": "storage_protocols",
}  # fmt: skip


def read(said: Any, backend: str) -> Misread:
    """What a driver's `get_share_stats` answered, as `Capabilities`; never raises.

    A pool with nonsense in it is left out, and told by field; a backend with no pool left has none.
    Manila's names and one pool in the top level are understood.
    """
    fields = said.__dict__ if isinstance(said, Capabilities) else said
    if not isinstance(fields, dict) or not fields:
        return Misread(capabilities=None, wrong={"": f"{_shown(said)} is no statistics"})
    given = {_ALIASES.get(k, k): v for k, v in fields.items() if isinstance(k, str)}
    wrong: dict[str, str] = {}
    pools = tuple(_pools(given, backend, wrong))
    told = _known(given, Capabilities, wrong, "")
    told |= {"backend_name": backend, "pools": pools}
    for field in ("storage_protocols", "access_types"):
        told.setdefault(field, ())
    told.setdefault("driver_name", "unknown")
    return Misread(capabilities=Capabilities(**told), wrong=wrong)


def _pools(given: dict[str, Any], backend: str, wrong: dict[str, str]) -> list[Pool]:
    found = given.pop("pools", None)
    if found is None:
        found = [{"name": backend, **{k: v for k, v in given.items() if k in Pool.model_fields}}]
    if not isinstance(found, list | tuple):
        wrong["pools"] = f"{_shown(found)} is no list of pools"
        return []
    pools: dict[str, Pool] = {}
    for n, item in enumerate(found):
        pool = _pool(item, f"pools.{n}", wrong)
        if pool is not None and pool.name in pools:
            wrong[f"pools.{n}.name"] = f"{pool.name!r} is the name of two pools"
        elif pool is not None:
            pools[pool.name] = pool
    return list(pools.values())


def _pool(item: Any, where: str, wrong: dict[str, str]) -> Pool | None:
    fields = item.__dict__ if isinstance(item, Pool) else item
    if not isinstance(fields, dict):
        wrong[where] = f"{_shown(item)} is no pool"
        return None
    mine: dict[str, str] = {}
    given = {_ALIASES.get(k, k): v for k, v in fields.items() if isinstance(k, str)}
    told = _known(given, Pool, mine, f"{where}.")
    for field in ("name", "total_capacity_gib", "free_capacity_gib"):
        if field not in told and f"{where}.{field}" not in mine:
            mine[f"{where}.{field}"] = "is missing"
    wrong |= mine
    return None if mine else Pool(**told)


def _known(
    given: dict[str, Any], kind: type[Frozen], wrong: dict[str, str], at: str
) -> dict[str, Any]:
    """The fields of *kind* that make sense; those that do not are told in *wrong*."""
    told: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        if name not in given or name == "pools":
            continue
        value, why = _sound(name, given[name], field.annotation)
        if why is None:
            told[name] = value
        else:
            wrong[f"{at}{name}"] = why
    return told


def _sound(name: str, value: Any, kind: Any) -> tuple[Any, str | None]:
    """*value* as its field has it, or what is wrong with it."""
    if kind is float:
        return _number(name, value)
    if kind is bool:
        good = isinstance(value, bool)
        return value, None if good else f"{_shown(value)} is not true or false"
    if get_origin(kind) is tuple and get_args(kind)[0] is str:
        many = tuple(value.split("_")) if isinstance(value, str) else value
        good = isinstance(many, list | tuple) and all(isinstance(v, str) for v in many)
        return tuple(many) if good else (), None if good else f"{_shown(value)} are no words"
    if get_origin(kind) is dict:
        good = isinstance(value, dict)
        return value, None if good else f"{_shown(value)} is no mapping"
    good = isinstance(value, str) and bool(value) and value.isprintable()
    return value, None if good else f"{_shown(value)} is no name"


def _number(name: str, value: Any) -> tuple[Any, str | None]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0, f"{_shown(value)} is no number"
    if not 0 <= value < float("inf"):
        return 0.0, f"{value} is not 0 or more"
    if name == "reserved_percentage" and value > 100:
        return 0.0, f"{value} is more than 100"
    if name == "max_over_subscription_ratio" and value < 1:
        return 0.0, f"{value} is less than 1"
    return float(value), None


def _shown(value: Any) -> str:
    try:
        shown = repr(value)
    except Exception:
        shown = f"a {type(value).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:60]}..."
