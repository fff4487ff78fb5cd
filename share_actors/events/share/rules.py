"""The access rules of one share, as state: all of them by id, and what is pending among them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache

from share_actors.values import AccessRule, Frozen, RuleState

OWED: frozenset[RuleState] = frozenset(("queued", "applying", "denying"))


class Rules(Frozen):
    """`rules` by id, in the order they were asked for.

    `applied` may be on the backend; `denied` are to go, also when taking them off failed;
    `attempted` are those that the attempt under way is about. `owed` (those to be applied or taken off)
    and `clients` (the rule in force for each) are of `rules`, kept so that no request looks at every rule.
    """

    rules: dict[str, AccessRule] = {}
    owed: tuple[str, ...] = ()
    clients: dict[str, str] = {}
    applied: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    attempted: frozenset[str] = frozenset()

    def with_rules(self, *changed: AccessRule, **fields: frozenset[str]) -> Rules:
        """The rules with *changed* added or replaced, and other values of the *fields* of ids."""
        rules, owed = dict(self.rules), dict.fromkeys(self.owed)
        for rule in changed:
            rules[rule.id] = rule
            if rule.state in OWED:
                owed[rule.id] = None
            else:
                owed.pop(rule.id, None)
        clients = self._clients(rules, changed)
        return self.replace(rules=rules, owed=tuple(owed), clients=clients, **fields)

    def without(self, removed: Iterable[str]) -> Rules:
        """The rules without *removed*."""
        gone = frozenset(removed)
        rules = {i: rule for i, rule in self.rules.items() if i not in gone}
        clients = self._clients(rules, [self.rules[i] for i in gone if i in self.rules])
        return self.replace(
            rules=rules, owed=tuple(i for i in self.owed if i not in gone), clients=clients
        )

    def _clients(
        self, rules: dict[str, AccessRule], changed: Iterable[AccessRule]
    ) -> dict[str, str]:
        """The rule in force for each client, now that those of *rules* that *changed* may be others."""
        clients, left = dict(self.clients), set()
        for rule in changed:
            client = client_key(rule.access_type, rule.access_to)
            if rule.id in rules and rule.state != "denying":
                clients.setdefault(client, rule.id)
            elif clients.get(client) == rule.id:
                del clients[client]
                left.add(client)
        failed = [rule for rule in rules.values() if rule.state == "error"] if left else []
        for rule in failed:  # one that could not be taken off is in force again
            client = client_key(rule.access_type, rule.access_to)
            if client in left:
                clients.setdefault(client, rule.id)
        return clients


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

    A client that was erased is no address any more, and has one form only.
    """
    if access_type == "ip" and not access_to.replace(".", "").isdecimal():  # that has one form only
        with suppress(ValueError):
            access_to = str(ipaddress.ip_network(access_to)).removesuffix("/32")
    return f"{access_type} {access_to}"
