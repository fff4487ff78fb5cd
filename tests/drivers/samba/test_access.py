"""Who is let in by a private smbd, who may write, and who is cut off when the rules change."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from share_actors.drivers.samba import Client, Samba, SambaSettings
from share_actors.testing.visits import Full, Gone, ReadOnly, Refused
from tests.drivers.ganesha.conftest import wait_until
from tests.drivers.samba.conftest import HOST
from tests.storage.cifs_client import CifsMounts

OUT = (Refused, Gone)


def test_an_allowed_user_writes_and_another_is_refused(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw"})

    mounted = mount.visit(HOST, "one", "alice")
    mounted.write("a", b"written")

    assert mounted.read("a") == b"written"
    assert (share / "a").read_bytes() == b"written"
    with pytest.raises(Refused):
        mount.visit(HOST, "one", "bob")


def test_a_user_with_ro_reads_and_does_not_write(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    (share / "a").write_bytes(b"content")
    samba.export("one", share, {"alice": "rw", "bob": "ro"})

    reader = mount.visit(HOST, "one", "bob")

    assert reader.read("a") == b"content"
    for name in ("a", "new"):
        with pytest.raises(ReadOnly):
            reader.write(name, b"x")


def test_files_of_any_owner_are_read_and_written_by_who_is_allowed(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    (share / "a").write_bytes(b"content")
    (share / "a").chmod(0)
    samba.export("one", share, {"alice": "rw"})

    mount.visit(HOST, "one", "alice").write("a", b"changed")

    assert (share / "a").read_bytes() == b"changed"
    mount.visit(HOST, "one", "alice").write("b", b"new")
    assert ((share / "b").stat().st_uid, (share / "b").stat().st_gid) == (0, 0)


def test_an_export_without_users_lets_nobody_in(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {})

    for user, password in (("alice", None), ("root", "x"), ("nobody", "x")):
        with pytest.raises(Refused):
            mount.visit(HOST, "one", user, password)


def test_a_session_without_a_user_is_refused(
    samba: Samba, settings: SambaSettings, share: Path
) -> None:
    samba.export("one", share, {"alice": "rw"})

    found = subprocess.run(
        ["smbclient", "-N", "-p", f"{settings.port}", f"//{HOST}/one", "-c", "ls"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode
    assert "NT_STATUS_ACCESS_DENIED" in found.stdout


def test_a_denied_user_is_out_at_once_and_the_other_goes_on_with_an_open_file(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw", "bob": "rw"})
    denied = mount.visit(HOST, "one", "alice").hold("a")
    denied.write(b"before")
    other = mount.visit(HOST, "one", "bob").hold("b")

    cut = samba.export("one", share, {"bob": "rw"})

    with pytest.raises(OUT):
        denied.write(b"after!")
    other.write(b"goes on")
    assert (cut.denied, cut.interrupted) == ((Client(user="alice", address=HOST),), ())
    assert (share / "a").read_bytes() == b"before"


def test_a_change_from_rw_to_ro_interrupts_all_and_says_whom(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw", "bob": "rw"})
    files = [mount.visit(HOST, "one", user).hold(user) for user in ("alice", "bob")]

    cut = samba.export("one", share, {"alice": "ro", "bob": "rw"})

    for file in files:
        with pytest.raises(OUT):
            file.write(b"after!")
    assert [client.user for client in cut.interrupted] == ["alice", "bob"]
    with pytest.raises(ReadOnly):
        mount.visit(HOST, "one", "alice").write("alice", b"1")
    mount.visit(HOST, "one", "bob").write("bob", b"1")


def test_a_change_from_ro_to_rw_interrupts_nobody(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw", "bob": "ro"})
    file = mount.visit(HOST, "one", "alice").hold("a")

    cut = samba.export("one", share, {"alice": "rw", "bob": "rw"})

    file.write(b"goes on")
    assert cut == samba.export("one", share, {"alice": "rw", "bob": "rw"})
    mount.visit(HOST, "one", "bob").write("b", b"1")


def test_a_removed_share_is_gone_for_who_is_connected_and_for_others(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw"})
    mounted = mount.visit(HOST, "one", "alice")
    file = mounted.hold("a")

    cut = samba.remove("one")

    for call in (mounted.names, lambda: file.write(b"1")):
        with pytest.raises(OUT):
            call()
    with pytest.raises(OUT):
        mount.visit(HOST, "one", "alice")
    assert [client.user for client in cut.denied] == ["alice"]
    assert not samba.remove("one").denied


def test_a_session_of_another_share_cannot_enter_one_that_was_removed(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    for name in ("one", "two"):
        samba.export(name, share, {"alice": "rw"})
    mounted = mount.visit(HOST, "one", "alice")

    samba.export("two", share, {"bob": "rw"})

    with pytest.raises(Refused):
        mounted.enter("two")
    mounted.write("a", b"goes on")


def test_an_export_that_moves_to_another_directory_takes_its_clients_off_the_old_one(
    samba: Samba, share: Path, mount: CifsMounts, directory: Path
) -> None:
    (new := directory / "new").mkdir()
    samba.export("one", share, {"alice": "rw"})
    file = mount.visit(HOST, "one", "alice").hold("a")

    samba.export("one", new, {"alice": "rw"})

    with pytest.raises(OUT):
        file.write(b"1")
    mount.visit(HOST, "one", "alice").write("b", b"1")
    assert (new / "b").exists()
    assert samba.served_path("one") == new


def test_a_link_does_not_lead_out_of_the_share(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    (share / "out").symlink_to("/etc/passwd")
    samba.export("one", share, {"alice": "rw"})

    with pytest.raises((*OUT, OSError)):
        mount.visit(HOST, "one", "alice").read("out")


def test_a_full_share_is_told_as_full(
    samba: Samba, share: Path, mount: CifsMounts, small_disk: Path
) -> None:
    samba.export("one", small_disk, {"alice": "rw"})

    with pytest.raises(Full):
        mount.visit(HOST, "one", "alice").hold("a").fill(8 << 20)


def test_a_client_is_listed_with_its_user_and_time_while_it_is_connected(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    samba.export("one", share, {"alice": "rw", "bob": "ro"})
    mounted = mount.visit(HOST, "one", "alice")
    mounted.write("a", b"written")

    [client] = samba.clients("ONE")

    assert (client.address, client.user, client.protocol) == (HOST, "alice", "CIFS")
    assert client.since is not None
    assert before < client.since < datetime.now(UTC) + timedelta(seconds=2)
    assert samba.clients("two") == ()
    mounted.unmount()
    wait_until(lambda: samba.clients("one") == ())
