"""Read what a driver's `get_share_stats` returned, key by key, in the words of `values.manila`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from share_actors.drivers.abilities import MountableSnapshots, Reverts
from share_actors.drivers.base import ShareDriver
from share_actors.drivers.stat_values import clean, read_capability, read_value, shown
from share_actors.values import Capabilities, Frozen, Pool
from share_actors.values.manila import DEFAULT_RATIO, POOL, STATISTICS

MAX_WRONG = 50
"""How many problems are reported at once."""
MAX_KEY = 100


class ParsedStats(Frozen):
    """A driver's statistics as they are used, and what is wrong with what it reported, by field.

    `capabilities` is None if it was not a mapping of statistics at all; `wrong` has the reason under "".
    """

    capabilities: Capabilities | None
    wrong: dict[str, Annotated[str, Field(max_length=500)]] = {}


_ABILITIES: Mapping[str, type] = {
    "revert_to_snapshot_support": Reverts,
    "mount_snapshot_support": MountableSnapshots,
}
_UNREPORTED = {"driver_name": "unknown", "storage_protocols": (), "access_types": ()}
_OF_POOL = frozenset(row.field for row in POOL)
_CAPACITIES: Mapping[str, Any] = {"total_capacity_gib": "unknown", "free_capacity_gib": "unknown"}
_INHERITED = _OF_POOL - {
    "name",
    *_CAPACITIES,
    "allocated_capacity_gib",
    "provisioned_capacity_gib",
}
"""The fields of a pool that it takes over from its backend if it leaves them out."""


def class_capabilities(driver: ShareDriver) -> dict[str, Any]:
    """The capabilities that follow from the driver's methods, for fields that its statistics leave out."""
    return {
        "driver_name": type(driver).__name__,
        "storage_protocols": driver.protocols,
        "access_types": driver.rule_types(),
        "access_support": {
            protocol: dict(types)
            for protocol, types in driver.access_support.items()
            if protocol in driver.protocols
        },
        "snapshot_support": driver.supports("create_snapshot"),
        "create_share_from_snapshot_support": driver.supports("create_share_from_snapshot"),
        "extend_support": driver.supports("extend_share"),
        "shrink_support": driver.supports("shrink_share"),
        "capabilities": {
            name: True for name, kind in _ABILITIES.items() if isinstance(driver, kind)
        },
    }


def read(stats: Any, backend: str, defaults: Mapping[str, Any] = _UNREPORTED) -> ParsedStats:
    """Read *stats*, which a driver's `get_share_stats` returned; never raises.

    Manila's names are understood. What is odd is reported by key and has its default; a pool is never left
    out. Statistics without `pools`, and None, are those of one pool. *defaults* are the values of fields that
    are absent or invalid.
    """
    reported = _mapping({} if stats is None else stats)
    if reported is None:
        reason = f"{shown(stats)} is not a statistics mapping"
        return ParsedStats(capabilities=None, wrong={"": reason})
    wrong = _Problems({})
    own, of_pool = _split(reported)
    fields, capabilities = _sort_out(own, Capabilities, wrong)
    capabilities = {**defaults.get("capabilities", {}), **capabilities}
    pools = _pools(reported.get("pools"), of_pool, backend, wrong)
    found = {**_UNREPORTED, **defaults, **fields, "capabilities": capabilities, "pools": pools}
    second = found.pop("backend_name", backend)
    if second != backend:
        capabilities.setdefault("share_backend_name", second)
    return ParsedStats(
        capabilities=Capabilities(**{**found, "backend_name": backend}), wrong=wrong.found
    )


class _Problems(NamedTuple):
    """The problems by field, and the prefix of the fields that are read at present."""

    found: dict[str, str]
    prefix: str = ""

    def note(self, key: str, problem: str) -> None:
        if len(self.found) < MAX_WRONG:
            name = "".join(c if c.isprintable() else "?" for c in clean(key[:MAX_KEY]))
            self.found.setdefault(self.prefix + name, problem)


def _mapping(value: Any) -> dict[str, Any] | None:
    """*value* as a dictionary with text as keys; None if it is not a mapping."""
    if isinstance(value, Capabilities | Pool):
        return dict(value.__dict__)
    if not isinstance(value, Mapping):
        return None
    try:
        return {k if isinstance(k, str) else shown(k): v for k, v in value.items()}
    except Exception:  # from the driver's own mapping
        return None


def _split(reported: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The statistics in the top level: those of the backend, and those of a pool."""
    own: dict[str, Any] = {}
    of_pool: dict[str, Any] = {}
    for key, value in reported.items():
        row = STATISTICS.get(key)
        (of_pool if row is not None and row.field in _OF_POOL else own)[key] = value
    return own, of_pool


def _sort_out(
    reported: Mapping[str, Any], model: type[Frozen], wrong: _Problems
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of *model*, and the capabilities; problems are noted.

    A list of Booleans is a field that is true, and a capability with both values.
    """
    fields: dict[str, Any] = {}
    capabilities: dict[str, Any] = {}
    for key, value in _present(reported):
        row = STATISTICS.get(key)
        read, problem = read_capability(value) if row is None else read_value(row, value)
        if problem is not None:
            wrong.note(key, problem)
        if read is None:
            continue
        if row is None or row.field not in model.model_fields:
            name = clean(key) if row is None else row.key
            capabilities[name] = list(read) if isinstance(read, tuple) else read
        elif row.kind == "boolean" and isinstance(read, list):
            fields[row.field], capabilities[row.key] = any(read), read
        else:
            fields[row.field] = read
    return fields, {**capabilities, **_explicit(reported.get("capabilities"), wrong)}


def _present(reported: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The statistics that have a value, without the two that contain others."""
    for key, value in reported.items():
        if value is not None and key not in ("pools", "capabilities"):
            yield key, value


def _explicit(reported: Any, wrong: _Problems) -> dict[str, Any]:
    """What is in `capabilities`."""
    if reported is None:
        return {}
    found = _mapping(reported)
    if found is None:
        wrong.note("capabilities", f"{shown(reported)} is not a mapping; it is ignored")
        return {}
    capabilities: dict[str, Any] = {}
    for key, value in found.items():
        read, problem = read_capability(value)
        if problem is not None:
            wrong.note(f"capabilities.{key}", problem)
        elif read is not None:
            capabilities[clean(key)] = read
    return capabilities


# -- pools ---------------------------------------------------------------------------------------
def _pools(
    reported: Any, of_pool: dict[str, Any], backend: str, wrong: _Problems
) -> tuple[Pool, ...]:
    """The pools; one named after the backend, with *of_pool*, if it does not list any."""
    if isinstance(reported, set | frozenset):
        reported = sorted(reported, key=repr)
    if reported is not None and not isinstance(reported, list | tuple):
        problem = f"{shown(reported)} is not a list of pools; the backend is one pool"
        wrong.note("pools", problem)
        reported = None
    if reported is None:
        return (_pool(of_pool, {}, backend, wrong),)
    if not reported:
        wrong.note("pools", "is empty: no share can be placed there")
    common = {k: v for k, v in of_pool.items() if STATISTICS[k].field in _INHERITED}
    inherited, _ = _sort_out(common, Pool, wrong)
    pools: dict[str, Pool] = {}
    for n, item in enumerate(reported):
        found = _mapping(item)
        if found is None:
            wrong.note(f"pools.{n}", f"{shown(item)} is not a pool")
            continue
        of_item = wrong._replace(prefix=f"pools.{n}.")
        pool = _pool(found, inherited, backend if n == 0 else f"{backend}-{n}", of_item)
        if pool.name in pools:
            of_item.note("name", f"{pool.name!r} is the name of two pools; the first one is used")
        pools.setdefault(pool.name, pool)
    return tuple(pools.values())


def _pool(
    reported: Mapping[str, Any],
    inherited: Mapping[str, Any],
    default_name: str,
    wrong: _Problems,
) -> Pool:
    """One pool. What it must have and leaves out is a problem, unless it leaves out everything."""
    fields, capabilities = _sort_out(reported, Pool, wrong)
    found = {**inherited, **fields, "capabilities": capabilities}
    required = {**_CAPACITIES, "name": default_name} if wrong.prefix else _CAPACITIES
    for field, default in required.items() if reported else ():
        if field not in found:
            wrong.note(field, f"is missing; {default!r} is used")
    found = {**_CAPACITIES, "name": default_name, **found}
    if found.get("thin_provisioning"):
        found.setdefault("max_over_subscription_ratio", DEFAULT_RATIO)
    return Pool(**found)
