"""`python -m benchmarks.scale_model`: what first limits a system of many nodes and shares, by measured costs.

The manager, the catalog and each partition of the database have one core; hosts have the cores of all nodes.
A part's load is the processor time that it needs each second of a busy hour. The part that is full with the
fewest commands limits the system. The costs of a create are those of `benchmarks.hosts`, the sizes those of
`docs/scale.md`. The model knows no network, no disk, and no cost that grows with the number of nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from share_actors.actors.hosting.timings import MOST_REPORTS_A_S

DAY_S = 86_400.0
GIB = 2.0**30


class Costs(NamedTuple):
    """Processor time in microseconds of one command by part, and bytes."""

    manager_us: float = 150.0
    """Of a creation, which the manager places; other commands go past it."""
    host_us: float = 590.0
    catalog_us: float = 170.0
    database_us: float = 190.0
    log_bytes: float = 2_374.0
    """Of one create in the log: three events."""
    catalog_bytes: float = 1_600.0
    """Of one share in the catalog."""
    resident_bytes: float = 10_000.0
    """Of one share in the memory of a host."""
    report_us: float = 2_700.0
    """The manager's work on one report of a host."""
    reports_a_second: float = MOST_REPORTS_A_S
    """The most reports of all hosts; each host makes at most one."""


class Size(NamedTuple):
    """A system: nodes with a host on each core, and what its users do."""

    nodes: int
    shares: int
    cores_a_node: int = 16
    changes_a_share_a_day: float = 1.0
    creates: float = 0.1
    """The part of the changes that create or delete a share."""
    peak: float = 10.0
    """How many times as much as on average comes in a busy hour."""
    active: float = 0.1
    """The part of the shares that are in the memory of a host."""


class Loads(NamedTuple):
    """What a size needs: cores of each part in a busy hour, the limit, and storage."""

    commands_a_second: float
    cores: dict[str, float]
    limit: str
    most_commands_a_second: float
    log_gib_a_day: float
    catalog_gib: float
    host_mib_a_host: float


MEASURED = Costs()


def loads(size: Size, costs: Costs = MEASURED, partitions: int = 1) -> Loads:
    """The loads of *size*, with a log of so many *partitions*."""
    average = size.shares * size.changes_a_share_a_day / DAY_S
    commands = average * size.peak
    hosts = size.nodes * size.cores_a_node
    each = {
        "manager": size.creates * costs.manager_us / 1e6,
        "catalog": costs.catalog_us / 1e6,
        "database": costs.database_us / 1e6 / partitions,
        "hosts": costs.host_us / 1e6 / hosts,
    }
    fixed = dict.fromkeys(each, 0.0) | {"manager": _watching(size, costs)}
    most = {part: (1.0 - fixed[part]) / each[part] for part in each}
    limit = min(most, key=lambda part: most[part])
    return Loads(
        commands,
        {part: fixed[part] + commands * each[part] for part in each},
        limit,
        most[limit],
        average * DAY_S * costs.log_bytes / GIB,
        size.shares * costs.catalog_bytes / GIB,
        size.shares * size.active * costs.resident_bytes / hosts / 2**20,
    )


def _watching(size: Size, costs: Costs) -> float:
    """The cores with which the manager looks after hosts."""
    hosts = size.nodes * size.cores_a_node
    return min(hosts, costs.reports_a_second) * costs.report_us / 1e6


SIZES = (
    (Size(1, 100_000), 1),
    (Size(10, 1_000_000), 1),
    (Size(100, 10_000_000), 1),
    (Size(100, 10_000_000), 4),
    (Size(1_000, 10_000_000), 4),
)
"""Sizes, each with the number of partitions of its log."""
_HEADS = (
    *("nodes", "shares", "partitions", "commands a second", "manager", "catalog", "database"),
    *(
        "hosts",
        "first limit",
        "at commands a second",
        "log, GiB a day",
        "catalog, GiB",
        "host, MiB",
    ),
)


def table() -> Iterator[str]:
    """The lines of a Markdown table of `SIZES`; the loads of the four parts are cores of a busy hour."""
    yield f"| {' | '.join(_HEADS)} |"
    yield "|" + " --- |" * len(_HEADS)
    for size, partitions in SIZES:
        found = loads(size, partitions=partitions)
        cells = [f"{size.nodes:,}", f"{size.shares:,}", f"{partitions}"]
        cells += [f"{found.commands_a_second:,.0f}", *(f"{c:.2f}" for c in found.cores.values())]
        cells += [found.limit, f"{found.most_commands_a_second:,.0f}"]
        cells += [f"{found.log_gib_a_day:,.2f}", f"{found.catalog_gib:,.2f}"]
        yield f"| {' | '.join([*cells, f'{found.host_mib_a_host:,.1f}'])} |"


def main() -> None:
    """Print the table."""
    print("\n".join(table()))


if __name__ == "__main__":
    main()
