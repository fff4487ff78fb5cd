"""Users of the private smbd: Unix accounts in files that only it sees, and passwords in its own database."""

from __future__ import annotations

from collections.abc import Mapping

from share_actors.drivers.base import DriverError
from share_actors.drivers.filesystem.durable import put_file
from share_actors.drivers.samba.names import check_password, checked_user
from share_actors.drivers.samba.programs import Programs
from share_actors.drivers.samba.settings import SambaSettings

FIRST_UID = 1_879_048_192
"""Below the uids of users, which own no file: users act as root in their shares. Their group is root's."""
_NO_LOGIN = "/usr/sbin/nologin"


class Accounts:
    """The users in one directory. Every method that changes them needs the lock of the directory."""

    def __init__(self, settings: SambaSettings, programs: Programs) -> None:
        self._settings, self._programs = settings, programs

    def prepare(self) -> None:
        """Write the files of accounts unless they exist. Raises `OSError`."""
        if not self._settings.group_path.exists():
            group = "root:x:0:\nnogroup:x:65534:\n"
            put_file(self._settings.group_path, group.encode())
        if not self._settings.passwd_path.exists():
            self._write({})

    def names(self) -> frozenset[str]:
        """The users that have an account."""
        return frozenset(self._uids())

    def set(self, name: str, password: str) -> None:
        """Create the user, or change its password. Raises `DriverError`."""
        checked_user(name)
        try:
            check_password(password)
        except ValueError as error:
            raise DriverError(f"password of user {name!r}: {error}; nothing was changed") from None
        uids = self._uids()
        if name not in uids:
            self._write({**uids, name: max(uids.values(), default=FIRST_UID) + 1})
        lines = f"{password}\n{password}\n"
        self._programs.pdbedit("--create", "--password-from-stdin", f"--user={name}", stdin=lines)

    def forget_password(self, name: str) -> None:
        """Refuse the user from now on, and keep its account: its sessions are found by the name."""
        if name in self._uids():
            self._programs.pdbedit("--delete", f"--user={name}", missing_is_fine=True)

    def remove(self, name: str) -> None:
        """Remove the account, if it exists. Raises `OSError`."""
        if name in (uids := self._uids()):
            self._write({user: uid for user, uid in uids.items() if user != name})

    def _uids(self) -> dict[str, int]:
        """The uids by user; lines of other accounts are left out."""
        if not self._settings.passwd_path.exists():
            return {}
        lines = self._settings.passwd_path.read_text(
            encoding="utf-8", errors="replace"
        ).splitlines()
        fields = (line.split(":") for line in lines)
        found = {
            entry[0]: int(entry[2]) for entry in fields if len(entry) == 7 and entry[2].isdecimal()
        }
        return {user: uid for user, uid in found.items() if uid > FIRST_UID}

    def _write(self, uids: Mapping[str, int]) -> None:
        top = self._settings.directory
        lines = [f"root:x:0:0::{top}:{_NO_LOGIN}", f"nobody:x:65534:65534::{top}:{_NO_LOGIN}"]
        lines += [f"{user}:x:{uid}:0::{top}:{_NO_LOGIN}" for user, uid in sorted(uids.items())]
        put_file(self._settings.passwd_path, "".join(f"{line}\n" for line in lines).encode())
