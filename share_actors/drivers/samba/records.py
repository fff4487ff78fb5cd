"""What is exported, recorded in a file of its own, from which smb.conf is rendered."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from share_actors.drivers.base import DriverError
from share_actors.drivers.filesystem.durable import put_file
from share_actors.drivers.samba.config import Export
from share_actors.drivers.samba.names import ExportName, problem

_EXPORTS = TypeAdapter(dict[ExportName, Export])


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
