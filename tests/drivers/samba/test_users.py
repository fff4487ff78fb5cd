"""Users of a private smbd: passwords, and accounts that the machine does not have."""

from __future__ import annotations

import logging
import pwd
from pathlib import Path

import pytest

from share_actors.drivers import DriverError
from share_actors.drivers.samba import Samba, SambaSettings
from share_actors.testing.visits import Refused
from tests.drivers.samba.conftest import HOST, PASSWORDS
from tests.storage.cifs_client import CifsMounts


def test_a_changed_password_replaces_the_old_one(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw"})

    samba.set_user("alice", "pä ß'\"%n\\ 2")

    mount.visit(HOST, "one", "alice", "pä ß'\"%n\\ 2").write("a", b"1")
    with pytest.raises(Refused):
        mount.visit(HOST, "one", "alice", PASSWORDS["alice"])


def test_a_user_that_is_added_while_smbd_runs_gets_in(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"carol": "rw"})

    samba.set_user("carol", "1")

    mount.visit(HOST, "one", "carol", "1").write("a", b"1")
    with pytest.raises(KeyError):
        pwd.getpwnam("carol")


def test_a_removed_user_is_out_with_its_open_files(
    samba: Samba, share: Path, mount: CifsMounts
) -> None:
    samba.export("one", share, {"alice": "rw", "bob": "rw"})
    file = mount.visit(HOST, "one", "alice").hold("a")
    other = mount.visit(HOST, "one", "bob").hold("b")

    for _ in range(2):
        samba.remove_user("alice")

    with pytest.raises(Refused):
        file.write(b"1")
    with pytest.raises(Refused):
        mount.visit(HOST, "one", "alice")
    other.write(b"goes on")
    assert samba.users() == {"bob"}


def test_a_password_is_in_no_log_and_no_file_of_the_configuration(
    samba: Samba, settings: SambaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    samba.set_user("alice", "QmFzZTY0")

    assert "pdbedit" in caplog.text
    assert "QmFzZTY0" not in caplog.text
    texts = [path.read_bytes() for path in settings.directory.rglob("*") if path.is_file()]
    assert not any(b"QmFzZTY0" in text for text in texts)


@pytest.mark.parametrize("password", ["", "a\nb", "tab\t", "x" * 128, "\udc80"])
def test_a_password_that_cannot_be_set_is_refused_and_not_shown(
    stopped: Samba, password: str
) -> None:
    with pytest.raises(DriverError, match="password of user 'alice': ") as raised:
        stopped.set_user("alice", password)

    assert not password or repr(password) not in str(raised.value)
    assert not password or password not in str(raised.value)
