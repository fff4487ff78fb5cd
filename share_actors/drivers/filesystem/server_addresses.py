"""The addresses of share servers, one file ID.json for each server: no two use one address on a segment."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from share_actors.drivers.base import DriverError
from share_actors.drivers.filesystem.own_files import records


class ServerAddresses:
    """The addresses in *directory*, which exists. Methods raise `OSError`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def take(
        self,
        server_id: str,
        addresses: Sequence[str],
        segment: str,
        check: Callable[[], None],
    ) -> None:
        """Record the addresses as in use on *segment*; *check* is called before the change.

        Raises `DriverError` if another server uses one of them. The caller has a lock of all addresses.
        """
        if conflicts := self._used_on(segment, besides=server_id) & set(addresses):
            listed = ", ".join(sorted(conflicts))
            raise DriverError(f"another share server on {segment} already uses {listed}")
        check()
        record = {"id": server_id, "addresses": list(addresses), "segment": segment}
        write_record(self._path(server_id), record)

    def release(self, server_id: str) -> None:
        """Remove the record of the server's addresses, if there is one."""
        self._path(server_id).unlink(missing_ok=True)

    def _used_on(self, segment: str, *, besides: str) -> set[str]:
        """The addresses that servers other than *besides* use on *segment*.

        A record of an earlier version names no segment: it may be any.
        """
        used: set[str] = set()
        for name, record in records(self._directory).items():
            same_segment = record.get("segment", segment) == segment
            addresses = record.get("addresses")
            other = name != besides and record.get("id", name) == name
            if other and same_segment and isinstance(addresses, list):
                used.update(addresses)
        return used

    def _path(self, server_id: str) -> Path:
        return self._directory / f"{server_id}.json"


def segment_of(network: Any) -> str:
    """The segment that a share network is on; one without a segmentation id is a segment of its own.

    None is the segment of servers without a share network.
    """
    if network is None:
        return "no network"
    number = network.get("segmentation_id")
    return f"network {network['id']}" if number is None else f"{network['network_type']} {number}"


def new_name(name: str) -> str:
    """The name of the file with which the file *name* is replaced."""
    return f"{name.removesuffix('.json')}.new"


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write the file atomically; it is on disk when this returns."""
    new = path.with_name(new_name(path.name))
    with new.open("w", encoding="utf-8") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
