"""Reading what a driver's `get_share_stats` answers, field by field."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from pydantic import Field

from share_actors.values import Capabilities, Frozen, Pool


class ParsedStats(Frozen):
    """What of a driver's answer can't be, by field, and what is left of it, if that makes sense."""

    capabilities: Capabilities | None
    wrong: dict[str, Annotated[str, Field(max_length=500)]] = {}


_ALIASES = {
    "total_capacity_gb": "total_capacity_gib", "free_capacity_gb": "free_capacity_gib",
    "allocated_capacity_gb": "allocated_capacity_gib", "provisioned_capacity_gb": "provisioned_capacity_gib",
    "pool_name": "name", "share_backend_name": "backend_name", "storage_protocol": "storage_protocols",
}  # fmt: skip


def read(said: Any, backend: str) -> ParsedStats:
    """What a driver's `get_share_stats` answered, as `Capabilities`; never raises.

    A pool with nonsense in it is left out, and told by field; a backend with no pool left has none.
    Manila's names and one pool in the top level are understood.
    """
    fields = said.__dict__ if isinstance(said, Capabilities) else said
    if not isinstance(fields, dict) or not fields:
        return ParsedStats(capabilities=None, wrong={"": f"{_shown(said)} is no statistics"})
    given = {_ALIASES.get(k, k): v for k, v in fields.items() if isinstance(k, str)}
    wrong: dict[str, str] = {}
    pools = tuple(_pools(given, backend, wrong))
    told = _known(given, Capabilities, wrong, "")
    told |= {"backend_name": backend, "pools": pools}
    for field in ("storage_protocols", "access_types"):
        told.setdefault(field, ())
    told.setdefault("driver_name", "unknown")
    return ParsedStats(capabilities=Capabilities(**told), wrong=wrong)


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
