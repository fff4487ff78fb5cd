"""The access rules of one export as the CLIENT blocks of NFS-Ganesha.

Ganesha takes the first block that matches a client, and reads the list at each request. The blocks are
ordered so that the rule with the longest prefix matches first, and merged where that changes no client's access.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import groupby

Network = IPv4Network | IPv6Network
LEVELS = ("rw", "ro")
_BITS = {4: 32, 6: 128}
_MAPPED = 0xFFFF << 32
"""The address `::ffff:0.0.0.0`: IPv4 addresses as IPv6 addresses have this prefix of 96 bits."""
_HALVES = {
    "0.0.0.0/0": ("0.0.0.0/1", "128.0.0.0/1"),
    "::/0": ("::/1", "8000::/1"),
}
_Rules = dict[tuple[int, int], str]
"""The rules of one address family: (address, prefix length) to level."""


@dataclass(frozen=True, slots=True)
class ClientBlock:
    """One CLIENT block: networks in CIDR notation, all of one level."""

    level: str
    networks: tuple[str, ...]


def client_blocks(clients: Mapping[str, str]) -> tuple[ClientBlock, ...]:
    """The blocks of *clients*, which map an address or a network to "rw" or "ro"; the first match decides.

    Raises `ValueError`, which names the client, for a host name, for host bits and for an unknown level.
    """
    rules = list(_merged(_parsed(clients)))
    rules.sort(key=lambda rule: (-rule[0].prefixlen, rule[1], rule[0].version, rule[0]))
    return tuple(
        ClientBlock(level, tuple(text for network, _ in group for text in _texts(network)))
        for level, group in groupby(rules, key=lambda rule: rule[1])
    )


def flat_rules(clients: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The network and level of each rule of *clients*, in the order in which Ganesha compares them."""
    return tuple(
        (network, block.level) for block in client_blocks(clients) for network in block.networks
    )


def clients_in_force(rules: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The clients of *rules* that Ganesha compares in this order: network to level, the first one counts."""
    found: dict[str, str] = {}
    for network, level in rules:
        found.setdefault(network, level)
    for whole, halves in _HALVES.items():
        if len({found.get(half) for half in halves}) == 1 and halves[0] in found:
            found[whole] = found.pop(halves[0])
            del found[halves[1]]
    return found


def network_of(client: str) -> Network:
    """The network that *client* names; an IPv4 address in IPv6 form is an IPv4 network.

    Raises `ValueError`, which names the client and says what is wrong with it.
    """
    if "%" in client:
        raise ValueError(f"the client {client!r} has a zone: name an address without '%'")
    try:
        network = ip_network(client)
    except ValueError as error:
        raise ValueError(
            f"the client {client!r} is not an IP address or network: {error}. Write an address, or a network"
            " without host bits; host names are refused, because NFS-Ganesha ignores those it cannot resolve"
        ) from None
    address = int(network.network_address)
    if network.version == 6 and network.prefixlen >= 96 and address >> 32 == 0xFFFF:
        return IPv4Network((address - _MAPPED, network.prefixlen - 96))
    return network


def _parsed(clients: Mapping[str, str]) -> dict[Network, str]:
    """The rules by network; for a client that is named twice, "rw" is taken."""
    parsed: dict[Network, str] = {}
    for client, level in clients.items():
        if level not in LEVELS:
            raise ValueError(
                f"the level {level!r} of the client {client!r} is neither 'rw' nor 'ro'"
            )
        network = network_of(client)
        parsed[network] = "rw" if "rw" in (level, parsed.get(network)) else level
    return parsed


def _merged(parsed: Mapping[Network, str]) -> Iterator[tuple[Network, str]]:
    """The fewest rules that this module finds with the same level for each address."""
    for version, kind in ((4, IPv4Network), (6, IPv6Network)):
        rules = {
            (int(network.network_address), network.prefixlen): level
            for network, level in parsed.items()
            if network.version == version
        }
        for (address, length), level in _needed(_joined(rules, _BITS[version]), _BITS[version]):
            yield kind((address, length)), level


def _joined(rules: _Rules, bits: int) -> _Rules:
    """The rules after each two halves of a network that have one level became one rule.

    The rules inside the halves have longer prefixes and still decide. A rule for the whole network, which the
    halves hid, is replaced.
    """
    joined = dict(rules)
    for length in range(bits, 0, -1):
        half = 1 << (bits - length)
        for address, _ in [rule for rule in joined if rule[1] == length and not rule[0] & half]:
            level = joined[address, length]
            if joined.get((address | half, length)) == level:
                del joined[address, length], joined[address | half, length]
                joined[address, length - 1] = level
    return joined


def _needed(rules: _Rules, bits: int) -> Iterator[tuple[tuple[int, int], str]]:
    """The rules without those whose next wider rule has the same level."""
    lengths = sorted({length for _, length in rules}, reverse=True)
    for (address, length), level in rules.items():
        wider = _first_level(rules, address, (wide for wide in lengths if wide < length), bits)
        if wider != level:
            yield (address, length), level


def _first_level(rules: _Rules, address: int, lengths: Iterable[int], bits: int) -> str | None:
    """The level of the first rule for *address* whose prefix has one of *lengths*, in their order."""
    for length in lengths:
        shift = bits - length
        if (level := rules.get((address >> shift << shift, length))) is not None:
            return level
    return None


def _texts(network: Network) -> tuple[str, ...]:
    """The network for Ganesha, which refuses a prefix of length 0: that one is written as its halves."""
    return _HALVES.get(str(network), (str(network),))
