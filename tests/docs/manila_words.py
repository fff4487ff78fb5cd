"""The rows of the tables in `docs/reference/manila.md`, from `share_actors.values.manila`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from share_actors.values.manila import (
    BACKEND,
    EXTRA_SPECS,
    HINTS,
    KINDS,
    OPERATORS,
    POOL,
    REPLICATION_TYPES,
    Statistic,
)

Cells = tuple[str, ...]
Table = Callable[[Iterable[str], Iterable[Cells]], str]
STATISTICS = ("Key", "Also", "Value", "Default", "Meaning")
_SPEC_VALUES = {
    "boolean": "true or false",
    "size": "whole GiB, 1 or more",
    "zones": "zones, separated by commas",
    "replication": ", ".join(f"`{kind}`" for kind in REPLICATION_TYPES),
    "duration": "a number and `m`, `h`, `d` or `w`",
    "text": "text",
}
_OPERANDS = {"number": "a number", "text": "text", "boolean": "true or false", "choices": "text"}


def sections(table: Table) -> dict[str, Callable[[], str]]:
    """The generated parts of the page by name; *table* writes a table."""
    return {
        "statistics of a backend": lambda: table(STATISTICS, statistics(BACKEND)),
        "statistics of a pool": lambda: table(STATISTICS, statistics(POOL)),
        "operators": lambda: table(["Operator", "Before", "Holds for"], operators()),
        "extra specs": lambda: table(["Key", "Value", "Meaning"], extra_specs()),
        "hints": lambda: table(["Hint", "Meaning"], hints()),
    }


def statistics(rows: tuple[Statistic, ...]) -> Iterator[Cells]:
    """The statistics of one level: names, values, default, meaning."""
    for row in rows:
        others = [name for name in (*row.aliases, row.field) if name and name != row.key]
        names = ", ".join(f"`{name}`" for name in others)
        yield f"`{row.key}`", names or "-", KINDS[row.kind], _default(row), row.meaning


def _default(row: Statistic) -> str:
    if row.absent:
        return row.absent
    if row.default is None:
        return "-"
    return f"`{row.default:g}`" if isinstance(row.default, float) else f"`{row.default}`"


def operators() -> Iterator[Cells]:
    """The operators of extra specs."""
    for name, found in OPERATORS.items():
        yield f"`{name}`", _OPERANDS[found.operand], found.meaning


def extra_specs() -> Iterator[Cells]:
    """The extra specs with a meaning of their own."""
    for key, spec in EXTRA_SPECS.items():
        yield f"`{key}`", _SPEC_VALUES[spec.values], spec.meaning


def hints() -> Iterator[Cells]:
    """The scheduler hints."""
    for name, meaning in HINTS.items():
        yield f"`{name}`", meaning
