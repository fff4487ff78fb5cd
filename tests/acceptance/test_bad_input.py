"""What makes no sense is refused with its field and value named, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from share_actors import client
from share_actors.client import ShareHandle, ShareSystem
from share_actors.config import Config, build, load
from share_actors.errors import (
    ConfigError,
    InvalidRequest,
    NotFound,
    Refused,
    ShareActorsError,
    Unavailable,
)
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site


@pytest.fixture(scope="module")
def site(new_sites: NewSite, tmp_path_factory: pytest.TempPathFactory) -> Site:
    top = tmp_path_factory.mktemp("backends")
    backends = {
        "dummy": {"driver": "dummy", "options": {"directory": str(top / "dummy")}},
        "local": {"driver": "local", "options": {"root": str(top / "local")}},
        "missing": {"driver": "local", "options": {"root": str(top), "require_mount": True}},
    }
    return new_sites(backends=backends)


@pytest.fixture
def system(site: Site) -> ShareSystem:
    return site.system


@pytest.fixture
def share(system: ShareSystem) -> ShareHandle:
    return system.create_share(size=2)


def refused(
    site: Site, ask: Callable[[], Any], kind: type[ShareActorsError], field: str, value: object
) -> str:
    """Assert that *ask* raises *kind* naming *field* and *value*, and records nothing; what it says."""
    before = site.head()
    with pytest.raises(ShareActorsError) as caught:
        ask()
    assert type(caught.value) is kind
    assert (caught.value.field, caught.value.value) == (field, value)
    assert "Traceback" not in str(caught.value)
    assert site.head() == before
    return str(caught.value)


# -- shares ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [0, -1, 1.5, 1.0, True, "1", None, 2**31, float("inf"), [1]])
def test_a_size_that_is_none(site: Site, system: ShareSystem, size: Any) -> None:
    said = refused(site, partial(system.create_share, size=size), InvalidRequest, "size", size)

    assert repr(size) in said


def test_a_size_of_thousands_of_digits(site: Site, system: ShareSystem) -> None:
    value = "(a very large int)"
    refused(site, partial(system.create_share, size=10**5000), InvalidRequest, "size", value)


@pytest.mark.parametrize(
    "name", ["x" * 256, "a\nb", "a\x00b", "a\x7fb", "\u202eabc", "a\udcffb", 7]
)
def test_a_name_that_is_none(site: Site, system: ShareSystem, name: Any) -> None:
    refused(site, partial(system.create_share, size=1, name=name), InvalidRequest, "name", name)


@pytest.mark.parametrize(
    "name",
    ["x" * 255, "Grüße 🐘", "it's \"quoted\"", "../../etc/passwd", "' OR 1=1; --", " ", "%s{0}",
     "8b4f2a0e-6b0c-4a57-9b0a-2f4a1a1f5d11", "-rf", "数据", "None"],
)  # fmt: skip
def test_an_odd_name_is_a_name_nonetheless(system: ShareSystem, name: str) -> None:
    share = system.create_share(size=1, name=name, backend="local")

    assert system.share(name).id == share.id
    assert [s.seen.name for s in system.shares(name=name).items] == [name]
    share.delete()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("description", "a\nb"), ("description", "x" * 256), ("share_id", "a/b"), ("share_id", ".."),
        ("share_id", "x" * 65), ("share_id", "a\n"), ("metadata", ["a"]), ("is_public", "perhaps"),
        ("colour", "red"), ("share_type", 7), ("availability_zone", {}),
    ],
)  # fmt: skip
def test_a_property_that_is_none(site: Site, system: ShareSystem, field: str, value: Any) -> None:
    refused(
        site, partial(system.create_share, size=1, **{field: value}), InvalidRequest, field, value
    )


def test_a_property_given_by_two_of_its_names(site: Site, system: ShareSystem) -> None:
    asked = {"size": 1, "protocol": "NFS", "share_proto": "CIFS"}
    head = site.head()

    (told,) = system.create_shares([asked])

    assert isinstance(told, InvalidRequest)
    assert (told.field, told.value) == ("share_proto", "CIFS")
    assert "share_proto is 'NFS'" in str(told)
    assert site.head() == head
    assert system.create_share(size=1, share_proto="CIFS").seen.share_proto == "CIFS"


def test_metadata_that_is_no_text_is_named_by_its_key(site: Site, system: ShareSystem) -> None:
    metadata: Any = {"a": 7}
    ask = partial(system.create_share, size=1, metadata=metadata)
    refused(site, ask, InvalidRequest, "metadata.a", 7)


@pytest.mark.parametrize("protocol", ["FTP", "nfs", "", None, 7])
def test_a_protocol_that_is_none(site: Site, system: ShareSystem, protocol: Any) -> None:
    ask = partial(system.create_share, size=1, protocol=protocol)
    said = refused(site, ask, InvalidRequest, "share_proto", protocol)
    assert "NFS" in said


def test_a_protocol_that_the_backend_does_not_speak(site: Site, system: ShareSystem) -> None:
    ask = partial(system.create_share, size=1, protocol="CEPHFS", backend="local")
    said = refused(site, ask, InvalidRequest, "protocol", "CEPHFS")
    assert "backend local knows NFS, CIFS" in said


@pytest.mark.parametrize("backend", ["nowhere", "dummy2", "DUMMY", 7, ["dummy"], ""])
def test_a_backend_that_is_none(site: Site, system: ShareSystem, backend: Any) -> None:
    ask = partial(system.create_share, size=1, backend=backend)
    said = refused(site, ask, ConfigError, "backend", backend)
    assert "there are: dummy, local, missing" in said


def test_a_host_whose_backend_is_none(site: Site, system: ShareSystem) -> None:
    ask = partial(system.create_share, size=1, host="nowhere#pool")
    refused(site, ask, ConfigError, "backend", "nowhere")


def test_a_backend_that_is_not_ready_is_told_at_once(site: Site, system: ShareSystem) -> None:
    ask = partial(system.create_share, size=1, backend="missing")
    said = refused(site, ask, Unavailable, "backend", "missing")
    assert "nothing is mounted" in said


def test_a_share_of_no_size_at_all(site: Site, system: ShareSystem) -> None:
    before = site.head()
    (error,) = system.create_shares([{"name": "x"}])
    assert isinstance(error, InvalidRequest)
    assert (error.field, site.head()) == ("size", before)


def test_an_id_that_is_taken(site: Site, system: ShareSystem, share: ShareHandle) -> None:
    ask = partial(system.create_share, size=3, share_id=share.id)
    assert "exists already" in refused(site, ask, Refused, "id", share.id)


def test_the_same_name_twice_is_two_shares(system: ShareSystem) -> None:
    ids = {system.create_share(size=1, name="twins").id for _ in range(2)}

    assert {share.id for share in system.shares(name="twins").items} == ids


@pytest.mark.parametrize("size", [0, 1.5, True, "3", 2**31])
@pytest.mark.parametrize("method", ["extend", "shrink"])
def test_a_new_size_that_is_none(site: Site, share: ShareHandle, method: str, size: Any) -> None:
    refused(site, partial(getattr(share, method), size), InvalidRequest, "size", size)


@pytest.mark.parametrize(("method", "size"), [("extend", 2), ("extend", 1), ("shrink", 2)])
def test_a_new_size_that_is_not_another(
    site: Site, share: ShareHandle, method: str, size: int
) -> None:
    said = refused(site, partial(getattr(share, method), size), Refused, "id", share.id)
    assert "the present 2 GiB" in said


# -- access ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("type", "to"),
    [
        ("ip", "10.0.0.0/33"), ("ip", "10.0.0.1/24"), ("ip", "300.0.0.1"), ("ip", "host.example"),
        ("ip", ""), ("ip", "::1/129"), ("user", "a b"), ("user", "a:b"), ("user", "a/b"),
        ("user", ""), ("user", "x" * 256), ("user", "a\nb"), ("cert", "x" * 65), ("cephx", "a.b"),
    ],
)  # fmt: skip
def test_a_client_that_is_none(site: Site, share: ShareHandle, type: str, to: str) -> None:  # noqa: A002
    refused(site, partial(share.allow_access, to, type=type), InvalidRequest, "access_to", to)


def test_a_type_or_level_of_access_that_is_none(site: Site, share: ShareHandle) -> None:
    ask = partial(share.allow_access, "bob", type="telepathy")
    refused(site, ask, InvalidRequest, "access_type", "telepathy")
    ask = partial(share.allow_access, "bob", level="rwx")
    refused(site, ask, InvalidRequest, "access_level", "rwx")


def test_a_type_of_access_that_the_backend_does_not_know(site: Site, system: ShareSystem) -> None:
    share = system.create_share(size=1, backend="local")
    ask = partial(share.allow_access, "10.0.0.1", type="ip")
    said = refused(site, ask, InvalidRequest, "access_type", "ip")
    assert "backend local knows user, not 'ip'" in said


def test_another_level_for_the_same_client(site: Site, share: ShareHandle) -> None:
    rule = share.allow_access("10.0.0.1", type="ip")
    ask = partial(share.allow_access, "10.0.0.1/32", type="ip", level="ro")
    assert rule.id in refused(site, ask, Refused, "id", share.id)


# -- what is not there -----------------------------------------------------------------------------
ODD_IDS = ["none", "../..", "", "x" * 10_000, "a\x00b", "'; --", "Grüße"]


@pytest.mark.parametrize("asked", ODD_IDS, ids=range(len(ODD_IDS)))
def test_a_share_that_is_not_there(site: Site, system: ShareSystem, asked: str) -> None:
    refused(site, partial(system.share, asked), NotFound, "share", asked)
    refused(site, partial(system.where, asked), NotFound, "id", asked)
    refused(site, partial(system.history, asked), NotFound, "id", asked)
    refused(site, partial(system.snapshot, asked), NotFound, "id", asked)


def test_a_snapshot_to_create_from_that_is_not_there(site: Site, system: ShareSystem) -> None:
    ask = partial(system.create_share, size=1, snapshot_id="none")
    refused(site, ask, NotFound, "snapshot_id", "none")


def test_a_share_smaller_than_the_snapshot_it_is_made_from(
    site: Site, system: ShareSystem, share: ShareHandle
) -> None:
    snapshot = share.create_snapshot()
    ask = partial(system.create_share, size=1, snapshot_id=snapshot.id)
    assert snapshot.id in refused(site, ask, InvalidRequest, "size", 1)


def test_rules_and_snapshots_that_are_not_there(site: Site, share: ShareHandle) -> None:
    refused(site, partial(share.deny_access, "none"), NotFound, "access_id", "none")
    refused(site, partial(share.delete_snapshot, "none"), NotFound, "snapshot_id", "none")
    refused(site, partial(share.deny_access, "a/b"), InvalidRequest, "access_id", "a/b")
    refused(site, partial(share.create_snapshot, "a\nb"), InvalidRequest, "name", "a\nb")


def test_a_deleted_share_takes_no_requests(site: Site, share: ShareHandle) -> None:
    share.delete()
    for ask in (partial(share.extend, 5), partial(share.allow_access, "bob"), share.retry,
                share.create_snapshot):  # fmt: skip
        assert "deleted" in refused(site, ask, Refused, "id", share.id)


# -- lists -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limit", 0), ("limit", 1001), ("limit", True), ("limit", "5"), ("limit", None),
        ("marker", "nonsense"), ("marker", 5), ("status", "asleep"), ("status", 5),
        ("name", 5), ("name", ["a"]), ("project_id", {}), ("backend", 1.5),
    ],
)  # fmt: skip
def test_a_question_that_makes_no_sense(
    site: Site, system: ShareSystem, field: str, value: Any
) -> None:
    refused(site, partial(system.shares, **{field: value}), InvalidRequest, field, value)


def test_a_filter_that_is_none(site: Site, system: ShareSystem) -> None:
    filters: dict[str, Any] = {"colour": "red"}
    for ask in (system.shares, system.snapshots, system.rules, system.count_shares):
        refused(site, partial(ask, **filters), InvalidRequest, "colour", "red")
    refused(site, partial(system.rules, state="asleep"), InvalidRequest, "state", "asleep")


# -- configuration ---------------------------------------------------------------------------------
def start_with(site: Site, **backend: Any) -> ShareSystem:
    changed = {"b": {"driver": "dummy", **backend}}
    return client.start(Config(namespace="never", home=site.home / "never", backends=changed))


@pytest.mark.parametrize(
    ("backend", "field", "value"),
    [
        ({"driver": "nfs"}, "backends.b.driver", "nfs"),
        ({"options": {"speed": 9}}, "backends.b.options.speed", None),
        ({"options": {"delay_s": -1}}, "backends.b.options.delay_s", -1),
        ({"driver": "local"}, "backends.b.options.root", None),
        ({"driver": "local", "options": {"root": "a/b"}}, "backends.b.options.root", "a/b"),
    ],
)
def test_a_driver_or_option_that_is_none_starts_nothing(
    site: Site, system: ShareSystem, backend: dict[str, Any], field: str, value: object
) -> None:
    refused(site, partial(start_with, site, **backend), ConfigError, field, value)

    assert not (site.home / "never").exists()
    with pytest.raises(Unavailable, match="no system runs in namespace 'never'"):
        client.connect(namespace="never")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"hosting": {"max_actors": 0}}, "hosting.max_actors"),
        ({"hosting": {"min_actors": 3, "max_actors": 2}}, "hosting"),
        ({"hosting": {"size": 3}}, "hosting.size"),
        ({"log": {"kind": "mysql"}}, "log.kind"),
        ({"backends": {}}, "backends"),
        ({"default_backend": "x"}, "default_backend"),
        ({"namespace": "a b"}, "namespace"),
        ({"speed": 1}, "speed"),
    ],
)
def test_a_configuration_that_makes_no_sense(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(settings)

    assert caught.value.field == field


def test_a_configuration_file_that_is_none(tmp_path: Any) -> None:
    (tmp_path / "bad.toml").write_text("namespace = [")

    for name in ("bad.toml", "missing.toml", "."):
        with pytest.raises(ConfigError, match=r"toml|directory") as caught:
            load(tmp_path / name)
        assert caught.value.field == "config"
