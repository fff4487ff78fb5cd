"""What a client reached in given histories."""

from __future__ import annotations

import pytest

from share_actors.audit.access import exposures, reach
from share_actors.audit.reading.reader import BATCH_SIZE, LogReader
from share_actors.config import LogSettings
from share_actors.errors import InvalidRequest
from tests.audit.access.given_histories import THERE, in_force, reached, seconds
from tests.audit.access.stored import GANESHA, Rows, reader_of, reader_of_share, second
from tests.events.share_events import NOON


# -- reach -----------------------------------------------------------------------------------------
def test_the_smallest_network_decides_as_in_nfs_ganesha() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.0/8", 10), *in_force("r2", "10.0.0.7", 20, "ro")]

    assert reached(history, "10.0.0.7")[-1] == (22, 100, "ro", "ro")
    assert reached(history, "10.0.0.8")[-1] == (12, 100, "rw", "rw")
    assert reached(history, "11.0.0.8") == []


def test_an_ipv4_address_in_ipv6_spelling_is_the_same_client() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.0/8", 10)]

    assert reached(history, "::ffff:10.0.0.7") == reached(history, "10.0.0.7") != []


def test_rules_that_disagree_are_not_known_where_the_order_of_the_backend_is_not() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.0/8", 10), *in_force("r2", "10.0.0.7", 20, "ro")]

    assert reached(history, "10.0.0.7", driver=())[-1] == (22, 100, "unknown", "unknown")
    assert reached(history, "10.0.0.8", driver=())[-1] == (12, 100, "rw", "rw")


def test_a_network_is_reached_in_whole_or_in_part() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.0/8", 10), *in_force("r2", "10.0.0.7", 20, "ro")]
    found = reach(reader_of_share(history, driver=GANESHA), "10.0.0.0/24", second(50), second(60))

    assert {(r.client, r.in_force, r.rules) for r in found} == {
        ("10.0.0.0/24", "rw", ("r1",)),
        ("10.0.0.7", "ro", ("r2",)),
    }


@pytest.mark.parametrize(
    ("client", "kind", "to"),
    [
        ("alice", "user", "alice"),
        ("user:@staff", "user", "@staff"),
        ("cert:host-1", "cert", "host-1"),
        ("cephx:alice", "cephx", "alice"),
    ],
)
def test_names_match_exactly(client: str, kind: str, to: str) -> None:
    history = [*THERE, *in_force("r1", to, 10, "ro", kind)]

    assert reached(history, client)[-1] == (12, 100, "ro", "ro")
    assert reached(history, f"{client}x") == []
    assert reached(history, "user:other") == []


def test_reach_is_clipped_and_of_all_shares() -> None:
    history = [*THERE, *in_force("r1", "10.0.0.7", 10)]
    reader = reader_of({"share-s1": history, "share-s2": history, "backend-b": ()})

    found = list(reach(reader, "10.0.0.7", second(20), second(30)))

    assert [(r.share_id, seconds(r.start), seconds(r.end)) for r in found] == [
        ("s1", 20, 30),
        ("s2", 20, 30),
    ]


def test_times_without_a_zone_and_backward_ones_are_refused_with_their_name() -> None:
    reader = reader_of_share(THERE)
    with pytest.raises(InvalidRequest, match="to: 2026-03-01T12:00:00 has no time zone"):
        reach(reader, "10.0.0.7", NOON, NOON.replace(tzinfo=None))
    with pytest.raises(InvalidRequest, match=r"from: .* is after to: "):
        exposures(reader, None, second(2), second(1))


@pytest.mark.parametrize(
    "client", ["", "10.0.0.7/8", "10.0.0.300", "ip:alice", "user:", "a\0", "fe80::1%e"]
)
def test_what_is_no_client_is_refused(client: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^client: "):
        reach(reader_of_share(THERE), client, second(0), second(1))


# -- a fleet ---------------------------------------------------------------------------------------
def test_what_a_client_reaches_on_a_thousand_shares_is_read_share_by_share() -> None:
    history = list(THERE)
    for number in range(10):
        history += in_force(f"r{number}", f"10.{number}.0.0/16", 10 + 3 * number)
    rows = Rows({f"share-s{n:04}": history for n in range(1000)})

    found = reach(LogReader(rows, LogSettings()), "10.9.0.7", second(0), second(100))

    assert next(found).share_id == "s0000"
    assert rows.fetched <= BATCH_SIZE < rows.head()
    assert len({r.share_id for r in found if r.in_force == "rw"}) == 1000
