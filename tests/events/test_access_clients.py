"""Clients of access rules: how they may be written, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from share_actors.events.share.access import AllowAccess, DenyAccess
from tests.events.access_requests import allow


def wrong_fields(**fields: Any) -> set[Any]:
    with pytest.raises(ValidationError) as refusal:
        AllowAccess(**(dict(allow("a")) | fields))
    return {error["loc"][0] for error in refusal.value.errors()}


BAD_CLIENTS = [
    *(
        ("ip", to)
        for to in ("", "10.0.0.1/33", "10.0.0.1/8", "300.1.1.1", "host", "::1/129", "1\n")
    ),
    *(
        ("ip", to)
        for to in ("fe80::1%eth0", "fe80::/64%1", "::ffff:10.0.0.1", "010.0.0.1", "1" * 99)
    ),
    *(("user", to) for to in ("", "a:b", "a/b", "x" * 256, "a\0", "a\tb", "a\u00a0b")),
    *(("user", to) for to in (" a", "a ", "   ...", "...", "@", "@ a", "\ud800")),
    *(("cert", to) for to in ("", "x" * 65, " ")),
    *(("cephx", to) for to in ("", "a.b", "ä", " a")),
]
GOOD_CLIENTS = [
    *(("ip", to) for to in ("10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "::1", "fd00::/8")),
    *(("user", to) for to in ("alice", "DOM\\alice", "grüne", "Domain Users", "@Domain Users")),
    *(("cert", "nas.example.org"), ("cephx", "client-1")),
]


@pytest.mark.parametrize(("access_type", "access_to"), BAD_CLIENTS)
def test_a_client_that_can_not_be_one_is_refused_at_access_to(
    access_type: str, access_to: str
) -> None:
    assert wrong_fields(access_type=access_type, access_to=access_to) == {"access_to"}


@pytest.mark.parametrize(
    ("spelling", "recorded"),
    [
        ("10.0.0.1/32", "10.0.0.1"),
        ("10.0.0.1/255.255.255.255", "10.0.0.1"),
        ("10.1.0.0/255.255.0.0", "10.1.0.0/16"),
        ("2001:0DB8:0:0::1/128", "2001:db8::1"),
        ("0::0/0", "::/0"),
        ("0.0.0.0/0.0.0.0", "0.0.0.0/0"),
    ],
)
def test_an_address_is_recorded_in_one_spelling(spelling: str, recorded: str) -> None:
    assert AllowAccess(**(dict(allow("a", spelling, "ip")))).access_to == recorded


@given(st.ip_addresses(network="0.0.0.0/1") | st.ip_addresses(v=6, network="2000::/3"))
def test_every_spelling_of_an_address_is_one_client(address: Any) -> None:
    spellings = {str(address), address.exploded, f"{address}/{address.max_prefixlen}"}
    spellings |= {address.exploded.upper()}

    assert {AllowAccess(**dict(allow("a", s, "ip"))).access_to for s in spellings} == {str(address)}


@pytest.mark.parametrize(("access_type", "access_to"), GOOD_CLIENTS)
def test_a_client_may_be_written_in_every_usual_way(access_type: str, access_to: str) -> None:
    assert allow("a", access_to, access_type).access_to == access_to


def test_each_wrong_field_of_a_rule_is_named() -> None:
    assert wrong_fields(access_level="admin") == {"access_level"}
    assert wrong_fields(access_type="dns") == {"access_type"}
    assert wrong_fields(access_id="a b") == {"access_id"}
    with pytest.raises(ValidationError, match="access_id"):
        DenyAccess(access_id="../a")
