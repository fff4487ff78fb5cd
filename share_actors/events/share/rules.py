"""The access rules of one share, as state: all of them by id, and what is pending among them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import TypeVar, overload

from share_actors.values import AccessRule, Frozen, RuleState
from share_actors.values.persistent import PersistentMap, PersistentSequence, PersistentSet

OWED: frozenset[RuleState] = frozenset(("queued", "applying", "denying"))
_WANTED: frozenset[RuleState] = frozenset(("queued", "applying", "active"))
_ERRORS: frozenset[RuleState] = frozenset(("error",))


NO_IDS: PersistentSet[str] = PersistentSet()
Ids = TypeVar("Ids", bound=PersistentSet[str])


class Rules(Frozen):
    """`rules` by id, in the order they were asked for.

    `applied` may be on the backend; `denied` are to go, also when taking them off failed;
    `attempted` are those that the attempt under way is about. `owed` (those to be applied or taken off),
    `errors` (those in error) and `clients` (the rule in force for each) are of `rules`, kept so that no
    request looks at every rule.
    """

    rules: PersistentMap[str, AccessRule] = PersistentMap()
    owed: PersistentSequence[str] = PersistentSequence()
    errors: PersistentSet[str] = PersistentSet()
    clients: PersistentMap[str, str] = PersistentMap()
    applied: PersistentSet[str] = PersistentSet()
    denied: PersistentSet[str] = PersistentSet()
    attempted: PersistentSet[str] = PersistentSet()

    def with_rules(self, *changed: AccessRule, **fields: PersistentSet[str]) -> Rules:
        """The rules with *changed* added or replaced, and other values of the *fields* of ids."""
        if not changed:
            return self.replace(**fields)
        by_id = {rule.id: rule for rule in changed}
        rules = self.rules.put(by_id)
        return self.replace(
            rules=rules,
            owed=_kept(self.owed, by_id, OWED),
            errors=_kept(self.errors, by_id, _ERRORS),
            clients=self._clients(rules, by_id.values()),
            **fields,
        )

    def with_queued(self, rule: AccessRule) -> Rules:
        """The rules with *rule*, which is queued; the same as `with_rules` and in half of the time."""
        if rule.id in self.rules:
            return self.with_rules(rule)
        client = client_key(rule.access_type, rule.access_to)
        return self.replace(
            rules=self.rules.put({rule.id: rule}),
            owed=self.owed.put((rule.id,)),
            clients=self.clients if client in self.clients else self.clients.put({client: rule.id}),
        )

    def without(self, removed: Iterable[str]) -> Rules:
        """The rules without *removed*."""
        gone = [self.rules[i] for i in removed if i in self.rules]
        ids = [rule.id for rule in gone]
        rules = self.rules.remove(ids)
        return self.replace(
            rules=rules,
            owed=self.owed.remove(ids),
            errors=self.errors.remove(ids),
            clients=self._clients(rules, gone),
        )

    def _clients(
        self, rules: PersistentMap[str, AccessRule], changed: Iterable[AccessRule]
    ) -> PersistentMap[str, str]:
        """The rule in force for each client, now that those of *rules* that *changed* may be others."""
        clients, put, left = self.clients, dict[str, str](), set[str]()
        for rule in changed:
            client = client_key(rule.access_type, rule.access_to)
            present = put.get(client) or (None if client in left else clients.get(client))
            if rule.state != "denying" and rule.id in rules:
                if present is None:
                    put[client] = rule.id
            elif present == rule.id:
                put.pop(client, None)
                left.add(client)
        if left:
            self._return_failed(rules, changed, put, left)
            clients = clients.remove(left - put.keys())
        return clients.put(put) if put else clients

    def _return_failed(
        self,
        rules: PersistentMap[str, AccessRule],
        changed: Iterable[AccessRule],
        put: dict[str, str],
        left: set[str],
    ) -> None:
        """Put the rules in error of the clients that *left*: they are in force again."""
        for rule in self._failed(rules, changed):
            client = client_key(rule.access_type, rule.access_to)
            if client in left:
                put.setdefault(client, rule.id)

    def _failed(
        self, rules: PersistentMap[str, AccessRule], changed: Iterable[AccessRule]
    ) -> list[AccessRule]:
        """Those of *rules* that are in error, now that *changed* may be, in their order."""
        ids = {*self.errors, *(rule.id for rule in changed)}
        failed = [rules[i] for i in ids if i in rules and rules[i].state == "error"]
        if len(failed) < 2:
            return failed
        return [rule for rule in rules.values() if rule.state == "error"]


def _kept(ids: Ids, changed: Mapping[str, AccessRule], states: frozenset[RuleState]) -> Ids:
    """*ids* of the rules in one of *states*, now that *changed*, by id, may be in others."""
    gone, added = list[str](), list[str]()
    for i, rule in changed.items():
        if rule.state not in states:
            if i in ids:
                gone.append(i)
        elif i not in ids:
            added.append(i)
    kept = ids.remove(gone) if gone else ids
    return kept.put(added) if added else kept


class WantedRules(Sequence[AccessRule]):
    """The rules that have to be on the backend; they are looked for once a driver looks at them."""

    def __init__(self, state: Rules) -> None:
        self._state = state

    @cached_property
    def _rules(self) -> tuple[AccessRule, ...]:
        return tuple(rule for rule in self._state.rules.values() if rule.state in _WANTED)

    @overload
    def __getitem__(self, index: int) -> AccessRule: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[AccessRule, ...]: ...

    def __getitem__(self, index: int | slice) -> AccessRule | tuple[AccessRule, ...]:
        return self._rules[index]

    def __iter__(self) -> Iterator[AccessRule]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._rules == tuple(other)

    def __hash__(self) -> int:
        return hash(self._rules)


def same_client(state: Rules, access_type: str, access_to: str) -> AccessRule | None:
    """The rule that is in force, or will be, for this client."""
    access_id = state.clients.get(client_key(access_type, access_to))
    return None if access_id is None else state.rules[access_id]


def same_client_of(
    rules: Iterable[AccessRule], access_type: str, access_to: str
) -> AccessRule | None:
    """The one of *rules* that allows this client and is not being removed."""
    client = client_key(access_type, access_to)
    for rule in rules:
        if rule.state != "denying" and client_key(rule.access_type, rule.access_to) == client:
            return rule
    return None


@lru_cache(maxsize=4096)
def client_key(access_type: str, access_to: str) -> str:
    """One form for the ways to write an address: 10.0.0.1 and 10.0.0.1/32 are the same client.

    The client of an erased rule is not an address any more and has one form only.
    """
    if access_type == "ip" and not access_to.replace(".", "").isdecimal():  # that has one form only
        with suppress(ValueError):
            access_to = str(ipaddress.ip_network(access_to)).removesuffix("/32")
    return f"{access_type} {access_to}"
