"""An index of rules by the client that they name, to find those that name all of another client."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from share_actors.audit.access.client import network_of
from share_actors.audit.access.fold import RuleTrack
from share_actors.values import AccessLevel

_Key = tuple[str, int, int] | tuple[str, str]
"""The version, the length and the bits of a network's prefix; or the type and the name of a client."""


class RuleIndex:
    """Rules by client. A look-up takes one step for each length of prefix that there is."""

    def __init__(self) -> None:
        self._rules: dict[_Key, dict[str, RuleTrack]] = defaultdict(dict)
        self._lengths: Counter[int] = Counter()

    def update(self, rule: RuleTrack, is_in: bool) -> None:
        """Have *rule* in the index, or not."""
        [key, *_] = _keys(rule.access_type, rule.access_to, ())
        rules = self._rules[key]
        if is_in and rule.access_id not in rules:
            rules[rule.access_id] = rule
            self._count(key, 1)
        elif not is_in and rules.pop(rule.access_id, None) is not None:
            self._count(key, -1)
        if not rules:
            del self._rules[key]

    def _count(self, key: _Key, by: int) -> None:
        if len(key) == 3:
            self._lengths[key[1]] += by

    def wider(self, access_id: str, access_type: str, access_to: str) -> list[RuleTrack]:
        """The rules that name all of this client, the smallest network first; not the rule *access_id*."""
        lengths = [length for length, number in self._lengths.items() if number]
        found = []
        for key in _keys(access_type, access_to, sorted(lengths, reverse=True)):
            found += [r for i, r in self._rules.get(key, {}).items() if i != access_id]
        return found

    def level(self, access_id: str, access_type: str, access_to: str) -> AccessLevel | None:
        """The level that the rules for the smallest network give this client, rw of several."""
        found = self.wider(access_id, access_type, access_to)
        if not found:
            return None
        nearest = [r for r in found if network_of(r.access_to) == network_of(found[0].access_to)]
        return "rw" if any(rule.access_level == "rw" for rule in nearest) else "ro"


def _keys(access_type: str, access_to: str, lengths: tuple[int, ...] | list[int]) -> Iterator[_Key]:
    """The key of a client, then those of networks around it with prefixes of *lengths*."""
    network = network_of(access_to) if access_type == "ip" else None
    if network is None:
        yield (access_type, access_to)
        return
    version, bits = f"ip{network.version}", network.max_prefixlen
    number = int(network.network_address)
    yield (version, network.prefixlen, number >> (bits - network.prefixlen))
    for length in lengths:
        if length < network.prefixlen:
            yield (version, length, number >> (bits - length))
