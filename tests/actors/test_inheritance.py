"""What a share from a snapshot takes over, and which requests contradict their snapshot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.actors.manager.inheritance import inherit
from share_actors.errors import InvalidRequest
from share_actors.values import PlacementRequest, Share, Snapshot

SNAPSHOT = Snapshot(id="n", share_id="p", size=3, status="available")
PARENT = Share(
    id="p", host="b#gold", share_proto="CIFS", share_type="vip", share_network_id="blue", size=3
)
REQUEST = PlacementRequest(size=3, share_proto="", host="", snapshot_id="n")
INHERITED = REQUEST._replace(
    share_proto="CIFS", share_type="vip", share_network_id="blue", source_host="b#gold"
)


def test_a_request_that_names_only_its_snapshot_takes_over_all_of_its_share() -> None:
    assert inherit(REQUEST, SNAPSHOT, PARENT) == INHERITED


@pytest.mark.parametrize(
    "named",
    [{"share_proto": "CIFS", "share_type": "vip"}, {"share_network_id": "blue"}, {"size": 9}],
)
def test_a_request_may_name_what_it_takes_over(named: dict[str, object]) -> None:
    named_request = REQUEST._replace(**named)  # type: ignore[arg-type]

    assert inherit(named_request, SNAPSHOT, PARENT)[1:] == INHERITED[1:]


@pytest.mark.parametrize("host", ["b", "b#gold"])
def test_a_request_may_name_the_backend_or_the_pool_of_its_snapshot(host: str) -> None:
    resolved = inherit(REQUEST._replace(host=host), SNAPSHOT, PARENT)

    assert (resolved.host, resolved.source_host) == (host, "b#gold")


@pytest.mark.parametrize(
    ("named", "field", "both"),
    [
        ({"share_proto": "NFS"}, "protocol", ("'NFS'", "'CIFS'")),
        ({"share_type": "std"}, "share_type", ("'std'", "'vip'")),
        ({"share_network_id": "red"}, "share_network_id", ("'red'", "'blue'")),
        ({"host": "a"}, "backend", ("'a'", "'b#gold'")),
        ({"host": "b#silver"}, "backend", ("'b#silver'", "'b#gold'")),
        ({"size": 2}, "size", ("2 GiB", "3 GiB")),
    ],
)
def test_a_contradiction_is_refused_with_both_values(
    named: dict[str, object], field: str, both: tuple[str, str]
) -> None:
    with pytest.raises(InvalidRequest, match="snapshot n") as refused:
        inherit(REQUEST._replace(**named), SNAPSHOT, PARENT)  # type: ignore[arg-type]

    assert refused.value.field == field
    assert all(value in refused.value.message for value in both)


def test_what_the_share_of_the_snapshot_has_not_may_not_be_named() -> None:
    parent = PARENT.replace(share_network_id=None)

    with pytest.raises(InvalidRequest, match=r"'blue' was named, and the share of .* has none"):
        inherit(REQUEST._replace(share_network_id="blue"), SNAPSHOT, parent)


def test_a_zone_that_the_share_of_the_snapshot_was_asked_for_is_kept() -> None:
    parent = PARENT.replace(availability_zone="west")

    inherit(REQUEST._replace(availability_zone="west"), SNAPSHOT, parent)
    with pytest.raises(InvalidRequest, match=r"availability_zone: 'east' .* has 'west'"):
        inherit(REQUEST._replace(availability_zone="east"), SNAPSHOT, parent)


names = st.sampled_from(["x", "y"])
optional = st.none() | names


@given(st.builds(Share, share_type=optional, share_network_id=optional, host=names), optional)
def test_a_share_from_a_snapshot_never_differs_from_its_share(parent: Share, named: str) -> None:
    try:
        got = inherit(REQUEST._replace(share_type=named), SNAPSHOT, parent)
    except InvalidRequest:
        assert named not in (None, parent.share_type)
    else:
        taken = (got.share_proto, got.share_type, got.share_network_id, got.source_host)
        theirs = (parent.share_proto, parent.share_type, parent.share_network_id, parent.host)
        assert taken == theirs
