"""Which level a client has, of several rules that name it, as far as it is known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from share_actors.audit.access.client import network_of
from share_actors.audit.access.values import Order
from share_actors.values import AccessLevel

Level = AccessLevel | None
_RANK: dict[Level, int] = {None: 0, "ro": 1, "rw": 2}


class Named(NamedTuple):
    """A rule that names the client: its level, and whether it is certain that it counts."""

    access_id: str
    access_to: str
    level: AccessLevel
    certain: bool


class Decision(NamedTuple):
    """The level of the client, the highest that it may have, and the rules that may have decided."""

    level: AccessLevel | Literal["unknown"] | None
    at_most: Level
    rules: tuple[str, ...]


NOTHING = Decision(None, None, ())


def decide(rules: Iterable[Named], order: Order) -> Decision:
    """The level that *rules*, all of which name the whole client, give it in this *order*."""
    groups = _groups(rules, order)
    possible: set[Level] = set()
    named: list[str] = []
    for group in groups:
        named += [rule.access_id for rule in group]
        levels = _most_permissive(group) if order != "unknown" else _any_of(group)
        possible |= levels - {None}
        if None not in levels:
            return _decision(possible, named)
    return _decision({*possible, None}, named)


def _groups(rules: Iterable[Named], order: Order) -> list[list[Named]]:
    """The rules that are compared together, in the order of the backend."""
    found = sorted(rules, key=lambda rule: (-prefix_length(rule.access_to), rule.access_id))
    if order != "longest prefix":
        return [found] if found else []
    return [list(group) for _, group in groupby(found, key=lambda r: prefix_length(r.access_to))]


def prefix_length(access_to: str) -> int:
    """The length of the prefix of a network; 0 for a name."""
    network = network_of(access_to)
    return 0 if network is None else network.prefixlen


def _most_permissive(group: Sequence[Named]) -> set[Level]:
    """The levels that rules for one network or name may give: the highest of those that count."""
    certain = max(
        (rule.level for rule in group if rule.certain), key=_RANK.__getitem__, default=None
    )
    higher = {r.level for r in group if not r.certain and _RANK[r.level] > _RANK[certain]}
    return {certain, *higher}


def _any_of(group: Sequence[Named]) -> set[Level]:
    """The levels that any of the rules may give, where it is not known which one counts."""
    levels: set[Level] = {rule.level for rule in group}
    return levels if any(rule.certain for rule in group) else {*levels, None}


def _decision(possible: set[Level], rules: Sequence[str]) -> Decision:
    at_most = max(possible, key=_RANK.__getitem__)
    level = at_most if len(possible) == 1 else "unknown"
    return Decision(level, at_most, tuple(rules))
