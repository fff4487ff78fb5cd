"""Invalid input is refused with its field and value, and nothing is recorded."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from share_actors.client import ShareHandle, ShareSystem
from share_actors.errors import ConfigError, InvalidRequest, NotFound, Refused, Unavailable
from tests.acceptance.refusals import refused, site, system
from tests.acceptance.systems import Site

__all__ = ["site", "system"]


@pytest.fixture
def share(system: ShareSystem) -> ShareHandle:
    return system.create_share(size=2)


def pairs(values: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    """Each key with each of its values."""
    return [(key, value) for key, some in values.items() for value in some]


# -- shares ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [0, -1, 1.5, 1.0, True, "1", None, 2**31, float("inf"), [1]])
def test_an_invalid_size_is_refused(site: Site, system: ShareSystem, size: Any) -> None:
    message = refused(site, partial(system.create_share, size=size), InvalidRequest, "size", size)

    assert repr(size) in message


def test_a_size_of_thousands_of_digits_is_refused(site: Site, system: ShareSystem) -> None:
    value = "(a very large int)"
    refused(site, partial(system.create_share, size=10**5000), InvalidRequest, "size", value)


@pytest.mark.parametrize(
    "name", ["x" * 256, "a\nb", "a\x00b", "a\x7fb", "\u202eabc", "a\udcffb", 7]
)
def test_an_invalid_name_is_refused(site: Site, system: ShareSystem, name: Any) -> None:
    refused(site, partial(system.create_share, size=1, name=name), InvalidRequest, "name", name)


@pytest.mark.parametrize(
    "name",
    [
        "x" * 255,
        "Grüße 🐘",
        'it\'s "quoted"',
        "../../etc/passwd",
        "' OR 1=1; --",
        " ",
        "%s{0}",
        "8b4f2a0e-6b0c-4a57-9b0a-2f4a1a1f5d11",
        "-rf",
        "数据",
        "None",
    ],
)
def test_an_unusual_name_is_accepted_and_found(system: ShareSystem, name: str) -> None:
    share = system.create_share(size=1, name=name, backend="local")

    assert system.share(name).id == share.id
    assert [s.seen.name for s in system.shares(name=name).items] == [name]
    share.delete()


PROPERTIES: dict[str, list[Any]] = {
    "description": ["a\x1bb", "x" * 256],
    "share_id": ["a/b", "..", "x" * 65, "a\n"],
    "metadata": [["a"]],
    "is_public": ["perhaps"],
    "colour": ["red"],
    "share_type": [7],
    "availability_zone": [{}],
}


@pytest.mark.parametrize(("field", "value"), pairs(PROPERTIES))
def test_an_unknown_property_or_invalid_value_is_refused(
    site: Site, system: ShareSystem, field: str, value: Any
) -> None:
    refused(
        site, partial(system.create_share, size=1, **{field: value}), InvalidRequest, field, value
    )


def test_a_property_given_by_two_of_its_names_is_refused(site: Site, system: ShareSystem) -> None:
    requested = {"size": 1, "protocol": "NFS", "share_proto": "CIFS"}
    head = site.head()

    (error,) = system.create_shares([requested])

    assert isinstance(error, InvalidRequest)
    assert (error.field, error.value) == ("share_proto", "CIFS")
    assert "share_proto is 'NFS'" in str(error)
    assert site.head() == head
    assert system.create_share(size=1, share_proto="CIFS").seen.share_proto == "CIFS"


def test_metadata_that_is_not_text_is_refused_with_its_key(site: Site, system: ShareSystem) -> None:
    metadata: Any = {"a": 7}
    call = partial(system.create_share, size=1, metadata=metadata)
    refused(site, call, InvalidRequest, "metadata.a", 7)


@pytest.mark.parametrize("protocol", ["FTP", "nfs", "", 7])
def test_an_unknown_protocol_is_refused(site: Site, system: ShareSystem, protocol: Any) -> None:
    call = partial(system.create_share, size=1, protocol=protocol)
    message = refused(site, call, InvalidRequest, "share_proto", protocol)
    assert "NFS" in message


def test_a_protocol_that_the_backend_does_not_support_is_refused(
    site: Site, system: ShareSystem
) -> None:
    call = partial(system.create_share, size=1, protocol="CEPHFS", backend="local")
    message = refused(site, call, InvalidRequest, "protocol", "CEPHFS")
    assert "backend local supports NFS, CIFS" in message


@pytest.mark.parametrize("backend", ["nowhere", "dummy2", "DUMMY", 7, ["dummy"], ""])
def test_an_unknown_backend_is_refused_with_the_list_of_backends(
    site: Site, system: ShareSystem, backend: Any
) -> None:
    call = partial(system.create_share, size=1, backend=backend)
    message = refused(site, call, ConfigError, "backend", backend)
    assert "there are: dummy, local, missing" in message


def test_a_host_with_an_unknown_backend_is_refused(site: Site, system: ShareSystem) -> None:
    call = partial(system.create_share, size=1, host="nowhere#pool")
    refused(site, call, ConfigError, "backend", "nowhere")


def test_a_creation_on_a_backend_that_is_not_ready_is_refused_with_the_reason(
    site: Site, system: ShareSystem
) -> None:
    call = partial(system.create_share, size=1, backend="missing")
    message = refused(site, call, Unavailable, "backend", "missing")
    assert "nothing is mounted" in message


def test_a_share_without_a_size_is_refused(site: Site, system: ShareSystem) -> None:
    before = site.head()
    (error,) = system.create_shares([{"name": "x"}])
    assert isinstance(error, InvalidRequest)
    assert (error.field, site.head()) == ("size", before)


def test_a_share_with_the_id_of_another_share_is_refused(
    site: Site, system: ShareSystem, share: ShareHandle
) -> None:
    call = partial(system.create_share, size=3, share_id=share.id)
    assert "exists already" in refused(site, call, Refused, "id", share.id)


def test_two_shares_can_have_the_same_name(system: ShareSystem) -> None:
    ids = {system.create_share(size=1, name="twins").id for _ in range(2)}

    assert {share.id for share in system.shares(name="twins").items} == ids


@pytest.mark.parametrize("size", [0, 1.5, True, "3", 2**31])
@pytest.mark.parametrize("method", ["extend", "shrink"])
def test_extend_and_shrink_refuse_an_invalid_size(
    site: Site, share: ShareHandle, method: str, size: Any
) -> None:
    refused(site, partial(getattr(share, method), size), InvalidRequest, "size", size)


@pytest.mark.parametrize(("method", "size"), [("extend", 2), ("extend", 1), ("shrink", 2)])
def test_extend_refuses_a_size_that_is_not_larger_and_shrink_one_that_is_not_smaller(
    site: Site, share: ShareHandle, method: str, size: int
) -> None:
    message = refused(site, partial(getattr(share, method), size), Refused, "id", share.id)
    assert "the present 2 GiB" in message


# -- access ----------------------------------------------------------------------------------------
CLIENTS: dict[str, list[Any]] = {
    "ip": ["10.0.0.0/33", "10.0.0.1/24", "300.0.0.1", "host.example", "", "::1/129"],
    "user": [" a", "a:b", "a/b", "", "x" * 256, "a\nb"],
    "cert": ["x" * 65],
    "cephx": ["a.b"],
}


@pytest.mark.parametrize(("kind", "to"), pairs(CLIENTS))
def test_an_invalid_client_of_an_access_rule_is_refused(
    site: Site, share: ShareHandle, kind: str, to: str
) -> None:
    refused(site, partial(share.allow_access, to, type=kind), InvalidRequest, "access_to", to)


def test_an_unknown_access_type_or_level_is_refused(site: Site, share: ShareHandle) -> None:
    call = partial(share.allow_access, "bob", type="telepathy")
    refused(site, call, InvalidRequest, "access_type", "telepathy")
    call = partial(share.allow_access, "bob", level="rwx")
    refused(site, call, InvalidRequest, "access_level", "rwx")


def test_an_access_type_that_the_backend_does_not_support_is_refused(
    site: Site, system: ShareSystem
) -> None:
    share = system.create_share(size=1, backend="local")
    call = partial(share.allow_access, "10.0.0.1", type="ip")
    message = refused(site, call, InvalidRequest, "access_type", "ip")
    assert "backend local supports user, not 'ip'" in message


def test_a_second_rule_of_another_level_for_the_same_client_is_refused(
    site: Site, share: ShareHandle
) -> None:
    rule = share.allow_access("10.0.0.1", type="ip")
    call = partial(share.allow_access, "10.0.0.1/32", type="ip", level="ro")
    assert rule.id in refused(site, call, Refused, "id", share.id)


# -- what does not exist ---------------------------------------------------------------------------
ODD_IDS = ["none", "../..", "", "x" * 10_000, "a\x00b", "'; --", "Grüße"]


@pytest.mark.parametrize("share_id", ODD_IDS, ids=range(len(ODD_IDS)))
def test_a_share_or_snapshot_that_does_not_exist_is_not_found(
    site: Site, system: ShareSystem, share_id: str
) -> None:
    refused(site, partial(system.share, share_id), NotFound, "share", share_id)
    refused(site, partial(system.where, share_id), NotFound, "id", share_id)
    refused(site, partial(system.history, share_id), NotFound, "id", share_id)
    refused(site, partial(system.snapshot, share_id), NotFound, "id", share_id)


def test_a_creation_from_a_snapshot_that_does_not_exist_is_not_found(
    site: Site, system: ShareSystem
) -> None:
    call = partial(system.create_share, size=1, snapshot_id="none")
    refused(site, call, NotFound, "snapshot_id", "none")


def test_a_share_smaller_than_its_source_snapshot_is_refused(
    site: Site, system: ShareSystem, share: ShareHandle
) -> None:
    snapshot = share.create_snapshot()
    call = partial(system.create_share, size=1, snapshot_id=snapshot.id)
    assert snapshot.id in refused(site, call, InvalidRequest, "size", 1)


def test_rules_and_snapshots_of_a_share_that_do_not_exist_are_not_found(
    site: Site, share: ShareHandle
) -> None:
    refused(site, partial(share.deny_access, "none"), NotFound, "access_id", "none")
    refused(site, partial(share.delete_snapshot, "none"), NotFound, "snapshot_id", "none")
    refused(site, partial(share.deny_access, "a/b"), InvalidRequest, "access_id", "a/b")
    refused(site, partial(share.create_snapshot, "a\nb"), InvalidRequest, "name", "a\nb")


def test_a_deleted_share_refuses_every_request(site: Site, share: ShareHandle) -> None:
    share.delete()
    extend, allow = partial(share.extend, 5), partial(share.allow_access, "bob")

    for call in (extend, allow, share.retry, share.create_snapshot):
        assert "deleted" in refused(site, call, Refused, "id", share.id)


# -- lists -----------------------------------------------------------------------------------------
FILTERS: dict[str, list[Any]] = {
    "limit": [0, 1001, True, "5", None],
    "marker": ["nonsense", 5],
    "status": ["asleep", 5],
    "name": [5, ["a"]],
    "project_id": [{}],
    "backend": [1.5],
}


@pytest.mark.parametrize(("field", "value"), pairs(FILTERS))
def test_a_list_with_an_invalid_filter_value_is_refused(
    site: Site, system: ShareSystem, field: str, value: Any
) -> None:
    refused(site, partial(system.shares, **{field: value}), InvalidRequest, field, value)


def test_a_list_with_an_unknown_filter_is_refused(site: Site, system: ShareSystem) -> None:
    filters: dict[str, Any] = {"colour": "red"}
    for query in (system.shares, system.snapshots, system.rules, system.count_shares):
        refused(site, partial(query, **filters), InvalidRequest, "colour", "red")
    refused(site, partial(system.rules, state="asleep"), InvalidRequest, "state", "asleep")
