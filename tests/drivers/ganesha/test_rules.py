"""The order and the merging of rules, which no client's access may depend on."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from share_actors.drivers.ganesha.rules import (
    ClientBlock,
    client_blocks,
    clients_in_force,
    flat_rules,
    readable,
)

LEVELS = st.sampled_from(["rw", "ro"])


@st.composite
def networks(draw: st.DrawFn) -> str:
    """Networks that often overlap or are neighbours: few bits differ."""
    if draw(st.booleans()):
        length = draw(st.integers(0, 32))
        address = draw(st.integers(0, 15)) << 28 | draw(st.integers(0, 15))
        return str(IPv4Network((address >> (32 - length) << (32 - length), length)))
    length = draw(st.integers(0, 99) | st.just(128))  # Ganesha cannot read the others
    address = draw(st.integers(0, 7)) << 125 | draw(st.integers(0, 7))
    return str(IPv6Network((address >> (128 - length) << (128 - length), length)))


@st.composite
def addresses(draw: st.DrawFn) -> str:
    if draw(st.booleans()):
        return str(IPv4Address(draw(st.integers(0, 15)) << 28 | draw(st.integers(0, 15))))
    return str(ip_address(draw(st.integers(0, 7)) << 125 | draw(st.integers(0, 7)) | 1 << 40))


def first_match(address: str, blocks: tuple[ClientBlock, ...]) -> str | None:
    """The level that Ganesha finds."""
    return next(
        (
            block.level
            for block in blocks
            if any(ip_address(address) in ip_network(network) for network in block.networks)
        ),
        None,
    )


def longest_prefix(address: str, clients: Mapping[str, str]) -> str | None:
    """The level of the most specific rule for *address*."""
    matching = [
        ip_network(client) for client in clients if ip_address(address) in ip_network(client)
    ]
    widest_last = sorted(matching, key=lambda network: -network.prefixlen)
    return clients[str(widest_last[0])] if widest_last else None


@given(st.dictionaries(networks(), LEVELS, max_size=12), st.lists(addresses(), max_size=12))
def test_the_first_block_that_matches_has_the_level_of_the_longest_prefix(
    clients: dict[str, str], some: list[str]
) -> None:
    blocks = client_blocks(clients)
    edges = [str(ip_network(client)[at]) for client in clients for at in (0, -1)]
    for address in [*some, *edges]:
        assert first_match(address, blocks) == longest_prefix(address, clients)


@given(st.dictionaries(networks(), LEVELS, max_size=12))
@example({"::/0": "rw", "::/1": "ro"})
def test_no_network_of_length_zero_and_no_network_twice_is_written(clients: dict[str, str]) -> None:
    written = [network for block in client_blocks(clients) for network in block.networks]
    assert len(set(written)) == len(written) <= len(clients) + 2
    assert all(ip_network(network).prefixlen for network in written)


@given(st.dictionaries(networks(), LEVELS, max_size=12), st.lists(addresses(), max_size=12))
def test_the_clients_in_force_give_the_access_that_was_written(
    clients: dict[str, str], some: list[str]
) -> None:
    in_force = clients_in_force(flat_rules(clients))
    assert all(longest_prefix(one, in_force) == longest_prefix(one, clients) for one in some)


def test_consecutive_clients_of_one_level_are_in_one_block() -> None:
    clients = {"10.0.0.1": "rw", "10.0.0.4": "rw", "10.0.0.0/8": "ro", "fd00::/8": "ro"}
    assert client_blocks(clients) == (
        ClientBlock("rw", ("10.0.0.1/32", "10.0.0.4/32")),
        ClientBlock("ro", ("10.0.0.0/8", "fd00::/8")),
    )


def test_neighbours_of_one_level_are_merged() -> None:
    clients = {f"10.0.0.{number}": "rw" for number in range(256)}
    assert client_blocks(clients) == (ClientBlock("rw", ("10.0.0.0/24",)),)


def test_ipv6_networks_that_ganesha_cannot_read_are_refused_and_never_made_by_merging() -> None:
    with pytest.raises(ValueError, match="a prefix of 127 bits"):
        client_blocks({"fd00::/127": "rw"})
    blocks = client_blocks({"fd00::": "rw", "fd00::1": "rw"})

    assert blocks == (ClientBlock("rw", ("fd00::/128", "fd00::1/128")),)
    assert [readable(network) for network in blocks[0].networks] == ["fd00::", "fd00::1"]


def test_a_rule_inside_a_merged_network_still_decides() -> None:
    clients = {"10.0.0.0/25": "rw", "10.0.0.128/25": "rw", "10.0.0.7": "ro"}
    assert first_match("10.0.0.7", client_blocks(clients)) == "ro"


@pytest.mark.parametrize(
    ("whole", "halves"),
    [("0.0.0.0/0", ("0.0.0.0/1", "128.0.0.0/1")), ("::/0", ("::/1", "8000::/1"))],
)
def test_the_whole_address_space_is_written_in_two_halves(
    whole: str, halves: tuple[str, str]
) -> None:
    assert client_blocks({whole: "ro"}) == (ClientBlock("ro", halves),)


@pytest.mark.parametrize(
    ("client", "written"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
    ],
)
def test_other_forms_of_a_network_are_written_as_ganesha_compares_them(
    client: str, written: str
) -> None:
    assert client_blocks({client: "rw"}) == (ClientBlock("rw", (written,)),)


def test_a_client_that_is_named_twice_may_write() -> None:
    for clients in (
        {"10.0.0.1": "rw", "::ffff:10.0.0.1": "ro"},
        {"10.0.0.1": "ro", "10.0.0.1/32": "rw"},
    ):
        assert client_blocks(clients) == (ClientBlock("rw", ("10.0.0.1/32",)),)


@pytest.mark.parametrize(
    "client",
    ["host.example", "10.0.0.1/8", "", "*", "10.0.0.1, 10.0.0.2", "fe80::1%eth0", "10.0.0.1;}"],
)
def test_what_is_no_network_is_refused_by_name(client: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is compared below
        client_blocks({client: "rw"})
    assert repr(client) in str(refused.value)


def test_an_unknown_level_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'su' of the client '10\.0\.0\.1'"):
        client_blocks({"10.0.0.1": "su"})


def test_five_thousand_rules_are_ordered_and_merged() -> None:
    clients = {str(IPv4Address(number * 7)): ("rw", "ro")[number % 2] for number in range(5000)}
    assert sum(len(block.networks) for block in client_blocks(clients)) == 5000
