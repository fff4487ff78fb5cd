"""What is exported: recorded in a file of its own, from which smb.conf is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from share_actors.drivers.base import DriverError
from share_actors.drivers.filesystem.durable import put_file
from share_actors.drivers.samba.names import (
    ExportName,
    Level,
    SharePath,
    UserName,
    checked_export,
    problem,
)
from share_actors.values import Frozen


class Export(Frozen):
    """One exported directory with the users who may use it."""

    path: SharePath
    users: dict[UserName, Level]
    lost: tuple[UserName, ...] = ()
    """The users that may still be connected with more than `users` says, until they have been cut off."""

    @property
    def interrupts(self) -> bool:
        """Whether all clients must be cut off: one that lost something may still read."""
        return any(user in self.users for user in self.lost)

    def after(self, old: Export | None) -> Export:
        """This export with the users `lost` who may do less than in *old*, or whose files were elsewhere."""
        if old is None:
            return self
        moved = old.path != self.path
        lost = {
            user
            for user, level in old.users.items()
            if moved or self.users.get(user, "") not in {level, "rw"}
        }
        return self.replace(lost=tuple(sorted(lost.union(old.lost))))


Exports = Mapping[ExportName, Export]
_EXPORTS = TypeAdapter(dict[ExportName, Export])


def new_export(name: str, path: Path, users: Mapping[str, str]) -> Export:
    """The export with these fields; raises `DriverError` with the field and the value that is wrong."""
    checked_export(name)
    try:
        return Export.model_validate({"path": str(path), "users": dict(users)})
    except ValidationError as error:
        raise DriverError(f"{problem(error, f'export {name}')}; nothing was changed") from None


def refuse_same_name(name: str, exports: Exports) -> None:
    """Raise `DriverError` if another export has the same name for SMB, which ignores case."""
    for other in exports:
        if other != name and other.lower() == name.lower():
            raise DriverError(
                f"export {name!r}: clients cannot tell it from the export {other!r}; nothing was changed"
            )


def read_exports(path: Path) -> dict[str, Export]:
    """The recorded exports; none if the file is missing. Raises `DriverError` if it cannot be understood."""
    try:
        return _EXPORTS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        raise DriverError(
            f"{path} is not a record of exports: {problem(error, 'exports')}. It was left as it is:"
            " restore it, or remove it and apply the rules of every share again"
        ) from None


def write_exports(path: Path, exports: dict[str, Export]) -> None:
    """Replace the record; it is on disk when this returns."""
    put_file(path, _EXPORTS.dump_json(exports, indent=1) + b"\n")
