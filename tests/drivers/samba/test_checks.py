"""What a private smbd tells of its files, ports and users, and what it restores."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from share_actors.drivers import DriverError
from share_actors.drivers.samba import Samba, SambaSettings
from tests.drivers.samba.conftest import HOST, OUT, free_port, processes
from tests.storage.cifs_client import CifsMounts


def test_a_configuration_edited_by_hand_is_told_and_restored(
    samba: Samba, settings: SambaSettings, share: Path
) -> None:
    samba.export("one", share, {"alice": "rw"})
    text = settings.config_path.read_text()
    settings.config_path.write_text(text.replace("valid users = alice", "valid users = alice bob"))

    (problem,) = samba.problems()
    served = samba.served("one")
    samba.export("one", share, {"alice": "rw"})

    assert "[one]: users are" in problem
    assert "bob" in problem
    assert served == {"alice": "rw", "bob": "ro"}
    assert samba.served("one") == {"alice": "rw"}
    assert samba.problems() == ()


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda text: text.replace("restrict anonymous = 2", ""), "a parameter was changed"),
        (lambda text: text + "[two]\n    path = /\n", "[two] is served, and was never exported"),
        (lambda text: text.partition("[one]")[0], "[one] is missing"),
    ],
)
def test_each_edit_of_the_configuration_is_told(
    samba: Samba, settings: SambaSettings, share: Path, edit: object, told: str
) -> None:
    assert callable(edit)
    samba.export("one", share, {"alice": "rw"})

    settings.config_path.write_text(edit(settings.config_path.read_text()))

    assert told in samba.problems()[0]


def test_a_user_that_was_let_in_by_an_edit_is_cut_off_when_it_is_undone(
    samba: Samba, settings: SambaSettings, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw"})
    text = settings.config_path.read_text()
    settings.config_path.write_text(text.replace("= alice", "= alice bob"))
    stranger = mount.visit(HOST, "one", "bob").hold("b")
    file = mount.visit(HOST, "one", "alice").hold("a")

    samba.export("two", share, {})

    with pytest.raises(OUT):
        stranger.write(b"1")
    file.write(b"goes on")


def test_a_configuration_that_smbd_refuses_leaves_the_old_one_in_force(
    samba: Samba, settings: SambaSettings, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw"})
    (settings.directory / "lock").chmod(0o700)  # testparm complains of it

    with pytest.raises(DriverError, match=r"smbd refuses the new configuration: .*lock directory"):
        samba.export("one", share, {"bob": "rw"})

    assert samba.recorded("one") == samba.served("one") == {"alice": "rw"}
    mount.visit(HOST, "one", "alice").write("a", b"1")


def test_a_record_that_cannot_be_read_is_told_with_its_path(
    samba: Samba, settings: SambaSettings, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw"})
    settings.exports_path.write_text('{"one": {"path": "/", "users": {"alice": "all"}}}')

    with pytest.raises(DriverError, match=r"exports.json is not a record of exports.*'all'"):
        samba.export("one", share, {"bob": "rw"})

    mount.visit(HOST, "one", "alice").write("a", b"1")


def test_a_port_that_is_taken_is_told(stopped: Samba, settings: SambaSettings) -> None:
    told = f"Address already in use.*port {settings.port}"
    with socket.create_server((HOST, settings.port)), pytest.raises(DriverError, match=told):
        stopped.start()

    assert processes(settings) == []
    stopped.start()


def test_another_port_takes_effect_with_the_next_start(
    samba: Samba, settings: SambaSettings, share: Path
) -> None:
    samba.export("one", share, {"alice": "rw"})
    port = free_port()

    Samba(settings.model_copy(update={"port": port})).start()

    with socket.create_connection((HOST, port)), pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, settings.port))


def test_a_missing_directory_and_a_user_without_a_password_are_told(
    samba: Samba, share: Path
) -> None:
    samba.export("one", share, {"alice": "rw", "carol": "ro"})
    share.rmdir()

    assert samba.problems() == (
        f"export one: {share} is not a directory",
        "export one: carol cannot log in: no password is set",
    )
