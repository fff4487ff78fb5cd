"""Names and paths that may stand in smb.conf: each ends where its line ends, and means only itself.

Each check returns the text, or raises ValueError with what is wrong with it.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, TypeAdapter, ValidationError

from share_actors.drivers.base import DriverError

T = TypeVar("T")
RESERVED_EXPORTS = frozenset({"global", "homes", "printers", "print", "admin", "ipc"})
"""Sections with a meaning of their own in smb.conf; `$` is in no name, so not `IPC$` either."""
RESERVED_USERS = frozenset({"root", "nobody"})
"""The accounts that smbd itself uses."""
_EXPORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9@_.-]{0,79}")
_USER = re.compile(
    r"(?!s-)[a-z0-9_][a-z0-9_.-]{0,31}"
)  # Samba takes s-1-5 for a security identifier
_IN_PATH = re.compile(r'[%\\"]')  # substitutions, continued lines, quotes


def check_export(name: str) -> str:
    """The name of an export, which is a section of smb.conf."""
    if not _EXPORT.fullmatch(name):
        raise ValueError(
            "must have 1 to 80 of the characters A-Z a-z 0-9 @ _ . - and begin with a letter or digit"
        )
    if name.lower() in RESERVED_EXPORTS:
        raise ValueError("is a section with a meaning of its own in smb.conf")
    return name


def check_user(name: str) -> str:
    """The name of a user. Capitals are refused: SMB does not distinguish them."""
    if not _USER.fullmatch(name):
        raise ValueError(
            "must have 1 to 32 of the characters a-z 0-9 _ . - and not begin with '.', '-' or 's-'"
        )
    if name in RESERVED_USERS:
        raise ValueError("is an account that smbd itself uses")
    return name


def check_path(path: str) -> str:
    """An absolute path without `..`, and without characters that smb.conf treats in its own way."""
    pure = PurePosixPath(path)
    normal = str(pure)  # without a last slash, before which a blank may be
    if not pure.is_absolute() or ".." in pure.parts:
        raise ValueError("must be an absolute path without '..'")
    if not path.isprintable() or path != path.strip() or normal != normal.strip():
        raise ValueError("has unprintable characters, or blanks at its end")
    if _IN_PATH.search(path):
        raise ValueError('has one of the characters % \\ "')
    return normal


def check_password(password: str) -> str:
    """A password that pdbedit can read as one line."""
    if not 1 <= len(password.encode("utf-8", "surrogatepass")) <= 127:
        raise ValueError("must have 1 to 127 bytes")
    if not password.isprintable():
        raise ValueError("has a control or unprintable character")
    return password


ExportName = Annotated[str, AfterValidator(check_export)]
UserName = Annotated[str, AfterValidator(check_user)]
SharePath = Annotated[str, AfterValidator(check_path)]
Level = Literal["rw", "ro"]
_EXPORT_NAME = TypeAdapter[str](ExportName)
_USER_NAME = TypeAdapter[str](UserName)


def checked_export(name: str) -> str:
    """*name*, if it can be the name of an export; otherwise raises `DriverError`."""
    return checked(_EXPORT_NAME, "export", name)


def checked_user(name: str) -> str:
    """*name*, if it can be the name of a user; otherwise raises `DriverError`."""
    return checked(_USER_NAME, "user", name)


def checked(adapter: TypeAdapter[T], field: str, value: Any) -> T:
    """*value* as the type of *adapter*; otherwise raises `DriverError` with the field and the value."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise DriverError(f"{problem(error, field)}; nothing was changed") from None


def problem(error: ValidationError, field: str) -> str:
    """The first problem of *error* with its field and value, as `export 'a%b': must have ...`."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join((field, *(str(part) for part in first["loc"] if part != "[key]")))
    return f"{where} {first['input']!r}: {first['msg'].removeprefix('Value error, ')}"
