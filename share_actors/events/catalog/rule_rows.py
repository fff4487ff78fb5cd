"""The access rules of shares as rows of the catalog, one for each, so that little is written for a change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from share_actors.events.share.rules import OWED, Rules, client_key
from share_actors.values import AccessRule
from share_actors.values.persistent import PersistentMap, PersistentSequence, PersistentSet

Row = tuple[Any, ...]


class RuleRows(NamedTuple):
    """The rows of rules to write, and the keys of those to delete."""

    put: Iterator[Row]
    dropped: list[Row]


def changed(share_id: str, before: Rules, after: Rules) -> RuleRows:
    """The rows that differ between two states of a share's rules."""
    rules, gone = after.rules.since(before.rules)
    ids = dict.fromkeys(rules)
    for now, then in (
        (after.applied, before.applied),
        (after.denied, before.denied),
        (after.attempted, before.attempted),
    ):
        ids.update(dict.fromkeys(now.since(then)))
    ids.update(dict.fromkeys(_of_clients(before, after)))
    put = (_row(share_id, after.rules[i], after) for i in ids if i in after.rules)
    return RuleRows(put, [(share_id, i) for i in gone])


def _of_clients(before: Rules, after: Rules) -> Iterator[str]:
    """The rules that are in force for their client in only one of the states."""
    changed, gone = after.clients.since(before.clients)
    for client, access_id in changed.items():
        yield access_id
        if client in before.clients:
            yield before.clients[client]
    for client in gone:
        yield before.clients[client]


def _row(share_id: str, rule: AccessRule, state: Rules) -> Row:
    """The row of *rule*, with a letter for each set of *state* that has it."""
    i = rule.id
    in_force = state.clients.get(client_key(rule.access_type, rule.access_to)) == i
    letters = (
        ("a", i in state.applied),
        ("d", i in state.denied),
        ("t", i in state.attempted),
        ("f", in_force),
    )
    sets = "".join(letter for letter, present in letters if present)
    return share_id, i, rule.state, rule.model_dump_json(), sets


def restored(rows: Iterable[Any]) -> Rules:
    """The rules of a share from its rows, in the order in which these were added."""
    found = [(AccessRule.model_validate_json(row["value"]), row["sets"]) for row in rows]
    in_force = [rule for rule, sets in found if "f" in sets]
    return Rules().replace(
        rules=PersistentMap((rule.id, rule) for rule, _ in found),
        owed=PersistentSequence(rule.id for rule, _ in found if rule.state in OWED),
        errors=PersistentSet(rule.id for rule, _ in found if rule.state == "error"),
        clients=PersistentMap(
            (client_key(rule.access_type, rule.access_to), rule.id) for rule in in_force
        ),
        applied=PersistentSet(rule.id for rule, sets in found if "a" in sets),
        denied=PersistentSet(rule.id for rule, sets in found if "d" in sets),
        attempted=PersistentSet(rule.id for rule, sets in found if "t" in sets),
    )
