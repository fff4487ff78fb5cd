"""Parse what a driver's `get_share_stats` returned, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import Field

from share_actors.drivers.base import ShareDriver
from share_actors.values import Capabilities, Frozen, Pool

MAX_SHOWN = 60


class ParsedStats(Frozen):
    """The valid part of a driver's statistics, and what is wrong with the rest, by field.

    `capabilities` is None if the driver did not return statistics at all; `wrong` has the reason under "".
    """

    capabilities: Capabilities | None
    wrong: dict[str, Annotated[str, Field(max_length=500)]] = {}


_ALIASES = {
    "total_capacity_gb": "total_capacity_gib",
    "free_capacity_gb": "free_capacity_gib",
    "allocated_capacity_gb": "allocated_capacity_gib",
    "provisioned_capacity_gb": "provisioned_capacity_gib",
    "pool_name": "name",
    "share_backend_name": "backend_name",
    "storage_protocol": "storage_protocols",
}
"""Manila's field names to ours."""
_UNREPORTED = {"driver_name": "unknown", "storage_protocols": (), "access_types": ()}


def class_capabilities(driver: ShareDriver) -> dict[str, Any]:
    """The capabilities that follow from the driver's class, for fields that its statistics leave out."""
    return {
        "driver_name": type(driver).__name__,
        "storage_protocols": driver.protocols,
        "access_types": driver.access_types,
        "snapshot_support": driver.supports("create_snapshot"),
        "create_share_from_snapshot_support": driver.supports("create_share_from_snapshot"),
        "extend_support": driver.supports("extend_share"),
        "shrink_support": driver.supports("shrink_share"),
    }


def read(stats: Any, backend: str, defaults: Mapping[str, Any] = _UNREPORTED) -> ParsedStats:
    """Parse *stats*, which a driver's `get_share_stats` returned; never raises.

    A pool with an invalid field is left out. Manila's names are understood, and statistics of a single pool
    may be in the top level. *defaults* are the values of fields that are absent or invalid.
    """
    reported = stats.__dict__ if isinstance(stats, Capabilities) else stats
    if not isinstance(reported, dict) or not reported:
        reason = f"{_shown(stats)} is not a statistics mapping with at least one pool's capacity"
        return ParsedStats(capabilities=None, wrong={"": reason})
    fields = _with_our_names(reported)
    wrong: dict[str, str] = {}
    pools = tuple(_parse_pools(fields, backend, wrong))
    valid = _parse_fields(fields, Capabilities, wrong, "")
    capabilities = {**_UNREPORTED, **defaults, **valid, "backend_name": backend, "pools": pools}
    return ParsedStats(capabilities=Capabilities(**capabilities), wrong=wrong)


def _with_our_names(fields: Mapping[Any, Any]) -> dict[str, Any]:
    return {_ALIASES.get(k, k): v for k, v in fields.items() if isinstance(k, str)}


def _parse_pools(fields: dict[str, Any], backend: str, wrong: dict[str, str]) -> list[Pool]:
    reported = fields.pop("pools", None)
    if reported is None:
        top_level = {k: v for k, v in fields.items() if k in Pool.model_fields}
        reported = [{"name": backend, **top_level}]
    if not isinstance(reported, list | tuple):
        wrong["pools"] = f"{_shown(reported)} is not a list of pools"
        return []
    pools: dict[str, Pool] = {}
    for n, item in enumerate(reported):
        pool = _parse_pool(item, f"pools.{n}", wrong)
        if pool is not None and pool.name in pools:
            wrong[f"pools.{n}.name"] = f"{pool.name!r} is the name of two pools"
        elif pool is not None:
            pools[pool.name] = pool
    return list(pools.values())


def _parse_pool(item: Any, path: str, wrong: dict[str, str]) -> Pool | None:
    reported = item.__dict__ if isinstance(item, Pool) else item
    if not isinstance(reported, dict):
        wrong[path] = f"{_shown(item)} is not a pool"
        return None
    errors: dict[str, str] = {}
    valid = _parse_fields(_with_our_names(reported), Pool, errors, f"{path}.")
    for field in ("name", "total_capacity_gib", "free_capacity_gib"):
        if field not in valid and f"{path}.{field}" not in errors:
            errors[f"{path}.{field}"] = "is missing"
    wrong |= errors
    return None if errors else Pool(**valid)


def _parse_fields(
    fields: Mapping[str, Any], model: type[Frozen], wrong: dict[str, str], prefix: str
) -> dict[str, Any]:
    """The valid fields of *model*; the reasons of invalid ones are added to *wrong*."""
    valid: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if name not in fields or name == "pools":
            continue
        value, reason = _parse_value(name, fields[name], field.annotation)
        if reason is None:
            valid[name] = value
        else:
            wrong[f"{prefix}{name}"] = reason
    return valid


def _parse_value(name: str, value: Any, kind: Any) -> tuple[Any, str | None]:
    """*value* as its field has it, and the reason if it is invalid."""
    if kind is float:
        return _parse_number(name, value)
    if kind is bool:
        valid = isinstance(value, bool)
        return value, None if valid else f"{_shown(value)} is not true or false"
    if get_origin(kind) is tuple and get_args(kind)[0] is str:
        items = tuple(value.split("_")) if isinstance(value, str) else value
        valid = isinstance(items, list | tuple) and all(isinstance(item, str) for item in items)
        return tuple(items) if valid else (), (
            None if valid else f"{_shown(value)} is not a list of strings"
        )
    if get_origin(kind) is dict:
        valid = isinstance(value, dict)
        return value, None if valid else f"{_shown(value)} is not a mapping"
    valid = isinstance(value, str) and bool(value) and value.isprintable()
    return value, None if valid else f"{_shown(value)} is not a name"


def _parse_number(name: str, value: Any) -> tuple[float, str | None]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0, f"{_shown(value)} is not a number"
    if not 0 <= value < float("inf"):
        return 0.0, f"{value} is not 0 or more"
    if name == "reserved_percentage" and value > 100:
        return 0.0, f"{value} is more than 100"
    if name == "max_over_subscription_ratio" and value < 1:
        return 0.0, f"{value} is less than 1"
    return float(value), None


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
