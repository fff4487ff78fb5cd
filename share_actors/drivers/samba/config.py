"""smb.conf: rendered whole from what is exported, and read back as smbd understands it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from share_actors.drivers.base import DriverError
from share_actors.drivers.samba.exports import Export, Exports
from share_actors.drivers.samba.settings import SambaSettings
from share_actors.values import Frozen

NOBODY = "no-user!"
"""The value of `valid users` that lets nobody in, as no user can have this name: an empty one lets all in."""
SERVER_NAME = "SHARE-ACTORS"
"""The server's NetBIOS name. Users belong to the domain of this name, so it does not follow the host name."""
_SECTION = re.compile(r"\[(?P<name>.+)\]")
_COMPLAINT = re.compile(r"ERROR|WARNING|Unknown|Ignoring|Invalid", re.IGNORECASE)
Section = Mapping[str, str]


class Served(Frozen):
    """A share as smbd understands its configuration."""

    path: str
    users: dict[str, str]


def rendered(settings: SambaSettings, exports: Exports) -> str:
    """The whole smb.conf for *exports*, the same text for the same exports."""
    lines = [
        "# Rendered from exports.json: changes by hand are reported, and lost at the next change."
    ]
    lines += _section("global", {**_places(settings), **_network(settings), **_FIXED})
    for name in sorted(exports):
        lines += _section(name, _share(exports[name]))
    return "\n".join(lines) + "\n"


def _places(settings: SambaSettings) -> Section:
    """The parameters that keep it apart from every other smbd."""
    top = settings.directory
    return {
        "private dir": f"{top}/private",
        "lock directory": f"{top}/lock",
        "state directory": f"{top}/state",
        "cache directory": f"{top}/cache",
        "pid directory": f"{top}/pid",
        "ncalrpc dir": f"{top}/ncalrpc",
        "passdb backend": f"tdbsam:{top}/private/passdb.tdb",
        "usershare path": f"{top}/usershares",
        "log file": f"{settings.log_path}",
    }


def _network(settings: SambaSettings) -> Section:
    return {
        "workgroup": settings.workgroup,
        "netbios name": SERVER_NAME,
        "interfaces": settings.address,
        "smb ports": f"{settings.port}",
    }


_FIXED: Section = {
    "server role": "standalone server",
    "bind interfaces only": "yes",
    "disable netbios": "yes",
    "server min protocol": "SMB3",
    "server signing": "mandatory",
    "restrict anonymous": "2",
    "map to guest": "never",
    "guest ok": "no",
    "usershare max shares": "0",
    "load printers": "no",
    "printcap name": "/dev/null",
    "disable spoolss": "yes",
    "host msdfs": "no",
    "max log size": "1000",
    "unix charset": "UTF-8",
    # the defaults of every share: closed unless its section opens it
    "valid users": NOBODY,
    "read only": "yes",
    "browseable": "no",
    "follow symlinks": "no",
    "wide links": "no",
    "nt acl support": "no",
    "create mask": "0660",
    "directory mask": "0770",
}


def _share(export: Export) -> Section:
    """The section of *export*; its users act as root, so that the rules alone decide, not owners of files.

    With `force user` instead, `close-denied-share` would judge every client by the forced user.
    """
    users = " ".join(sorted(export.users)) or NOBODY
    writers = [user for user in sorted(export.users) if export.users[user] == "rw"]
    parameters = {"path": export.path, "valid users": users, "admin users": users}
    return {**parameters, "write list": " ".join(writers)} if writers else parameters


def _section(name: str, parameters: Section) -> Iterator[str]:
    yield f"[{name}]"
    for key, value in parameters.items():
        if not value.isprintable() or "%" in value or value.endswith("\\"):
            raise DriverError(
                f"smb.conf: {name}: {key} {value!r} cannot stand on one line; nothing was changed"
            )
        yield f"    {key} = {value}"


# -- reading -----------------------------------------------------------------------------------
def served(testparm: str) -> dict[str, Served]:
    """The shares in the output of `testparm`, by name."""
    sections = _sections(testparm)
    defaults = sections.pop("global", {})
    return {name: _served({**defaults, **section}) for name, section in sections.items()}


def _sections(text: str) -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in map(str.strip, text.splitlines()):
        if matched := _SECTION.fullmatch(line):
            current = sections.setdefault(matched["name"], {})
        elif not line.startswith(("#", ";")):
            key, equals, value = line.partition("=")
            if equals:
                current[key.strip().lower()] = value.strip()
    return sections


def _served(section: Section) -> Served:
    """What `is_share_read_only_for_token` and `user_ok_token` of Samba make of the parameters."""
    readers, writers = _names(section, "read list"), _names(section, "write list")
    writable = section.get("read only", "yes").lower() == "no"
    users: dict[str, str] = {}
    for user in _names(section, "valid users") - {NOBODY} - _names(section, "invalid users"):
        may_write = user in writers or (writable and user not in readers)
        users[user] = "rw" if may_write else "ro"
    if section.get("available", "yes").lower() == "no":
        users = {}
    if "valid users" not in section or section.get("guest ok", "no").lower() == "yes":
        users["*"] = "rw" if writable else "ro"
    return Served(path=section.get("path", ""), users=users)


def _names(section: Section, key: str) -> set[str]:
    return set(section.get(key, "").replace(",", " ").split())


def complaint(stderr: str) -> str | None:
    """What `testparm` says of the configuration that smbd would only ignore; None if nothing."""
    lines = (line.strip() for line in stderr.splitlines())
    return next((line for line in lines if _COMPLAINT.match(line)), None)


def difference(expected: Exports, found: Mapping[str, Served]) -> str | None:
    """How *found* differs from the exports, in words; None if it does not."""
    for name in sorted({*expected, *found}):
        export, share = expected.get(name), found.get(name)
        if export is None:
            return f"[{name}] is served, and was never exported"
        if share is None:
            return f"[{name}] is missing"
        if share.path != export.path:
            return f"[{name}]: path is {share.path!r} instead of {export.path!r}"
        if share.users != export.users:
            return f"[{name}]: users are {share.users} instead of {dict(export.users)}"
    return None
