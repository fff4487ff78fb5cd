"""The state of a dummy backend: files that all processes share and tests can read."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from share_actors.drivers.base import DriverError
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.filesystem.own_files import read_record, records
from share_actors.drivers.local.layout import snapshot_name
from share_actors.values import RequestContext, Share

WRITING = "writing"
"""The folder of records that are being written."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a driver method, recorded at its begin; `at` is in seconds since the epoch."""

    method: str
    share_id: str
    snapshot_id: str = ""
    attempt: int = 0
    token: str = ""
    pid: int = 0
    at: float = 0.0


class DummyBackend:
    """The state of a dummy backend in *directory*, with a record of every call."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)

    def prepare(self) -> None:
        """Create the directories unless they exist."""
        folders = ("shares", "snapshots", "servers", "networks", "counters", "fences", WRITING)
        for name in folders:
            (self.directory / name).mkdir(parents=True, exist_ok=True)

    # -- the state -----------------------------------------------------------------------------
    def shares(self) -> dict[str, dict[str, Any]]:
        """The shares by id: `size` in GiB, `rules` by id, and `snapshot_id`, the source of a copy.

        `reverted_to`: the snapshot of its last revert.
        """
        return self._all("shares")

    def snapshots(self) -> dict[str, dict[str, Any]]:
        """The snapshots by id: `share_id`, and `rules`, their access rules by id, once they had any."""
        return {snapshot["id"]: snapshot for snapshot in self._all("snapshots").values()}

    def rules(self, share_id: str) -> dict[str, dict[str, Any]]:
        """The access rules of a share by id: `access_type`, `access_to`, `access_level`."""
        rules: dict[str, dict[str, Any]] = self.share(share_id)["rules"]
        return rules

    def calls(self, method: str | None = None, share_id: str | None = None) -> list[Call]:
        """The calls so far, oldest first: all of them, or those of one method or share."""
        try:
            lines = (self.directory / "calls.log").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        calls = (Call(**json.loads(line)) for line in lines)
        return [c for c in calls if method in (None, c.method) and share_id in (None, c.share_id)]

    def servers(self) -> dict[str, dict[str, Any]]:
        """The share servers that are set up, by id: `addresses`, and `services`, their security services."""
        return self._all("servers")

    def networks(self) -> dict[str, dict[str, Any]]:
        """The allocated addresses by share server id: `addresses`."""
        return self._all("networks")

    # -- changes by the driver -----------------------------------------------------------------
    def record_call(
        self, method: str, context: RequestContext, share_id: str, snapshot: str
    ) -> None:
        """Append a call to the log in one write, so that the lines of several processes do not mix."""
        call = Call(
            method, share_id, snapshot, context.attempt, context.token, os.getpid(), time.time()
        )
        self._append("calls.log", (json.dumps(asdict(call)) + "\n").encode())

    def count(self, method: str, share_id: str) -> int:
        """How often *method* was called for this share, including this call."""
        return self._append(f"counters/{method}@{checked_id('share', share_id)}", b".")

    def share(self, share_id: str) -> dict[str, Any]:
        """One share; raises `DriverError` if it does not exist."""
        if (share := self._read("shares", checked_id("share", share_id))) is None:
            raise DriverError(f"share {share_id} does not exist")
        return share

    def add_share(
        self,
        share_id: str,
        size: int,
        snapshot_id: str | None = None,
        *,
        pool: str = "",
        server: str | None = None,
    ) -> None:
        """Create a share unless it exists."""
        if self._read("shares", checked_id("share", share_id)) is None:
            share = {"id": share_id, "size": size, "snapshot_id": snapshot_id, "rules": {}}
            self._write("shares", share_id, {**share, "pool": pool, "server": server})

    def record_server(self, folder: str, server_id: str, **fields: Any) -> None:
        """Record *fields* of a share server in the folder `servers` or `networks`."""
        self._write(folder, checked_id("share server", server_id), {"id": server_id, **fields})

    def drop_server(self, folder: str, server_id: str) -> None:
        """Remove the record of a share server from the folder `servers` or `networks`."""
        self._drop(folder, checked_id("share server", server_id))

    def change_share(self, share_id: str, **changes: Any) -> None:
        """Change fields of a share; raises `DriverError` if it does not exist."""
        self._write("shares", share_id, {**self.share(share_id), **changes})

    def is_unfinished(self, share_id: str) -> bool:
        """Whether a process that has ended left something of a share that it did not create."""
        return bool(self._unfinished("shares", checked_id("share", share_id)))

    def unfinished_snapshots(self, share: Share) -> frozenset[str]:
        """The ids of the snapshots of *share* of which such a process left something."""
        ids = [snapshot.id for snapshot in share.snapshots]
        return frozenset(
            i for i in ids if self._unfinished("snapshots", snapshot_name(share.id, i))
        )

    def drop_share(self, share_id: str) -> None:
        """Delete a share, if it exists."""
        self._drop("shares", checked_id("share", share_id))

    def snapshot(self, share_id: str, snapshot_id: str) -> dict[str, Any]:
        """One snapshot; raises `DriverError` if it does not exist."""
        if (snapshot := self._read("snapshots", snapshot_name(share_id, snapshot_id))) is None:
            raise DriverError(f"snapshot {snapshot_id} does not exist")
        return snapshot

    def add_snapshot(self, share_id: str, snapshot_id: str) -> None:
        """Create a snapshot, without access rules; raises `DriverError` if the share does not exist."""
        self.share(share_id)
        snapshot = {"id": snapshot_id, "share_id": share_id}
        self._write("snapshots", snapshot_name(share_id, snapshot_id), snapshot)

    def change_snapshot(self, share_id: str, snapshot_id: str, **changes: Any) -> None:
        """Change fields of a snapshot; raises `DriverError` if it does not exist."""
        snapshot = {**self.snapshot(share_id, snapshot_id), **changes}
        self._write("snapshots", snapshot_name(share_id, snapshot_id), snapshot)

    def drop_rules_of_snapshots(self, share_id: str) -> None:
        """Remove the access rules of all snapshots of a share."""
        for snapshot_id, snapshot in self.snapshots().items():
            if snapshot["share_id"] == share_id and snapshot.get("rules"):
                self.change_snapshot(share_id, snapshot_id, rules={})

    def drop_snapshot(self, share_id: str, snapshot_id: str) -> None:
        """Delete a snapshot, if it exists."""
        self._drop("snapshots", snapshot_name(share_id, snapshot_id))

    # ------------------------------------------------------------------------------------------
    def _path(self, folder: str, name: str) -> Path:
        return self.directory / folder / f"{name}.json"

    def _all(self, folder: str) -> dict[str, dict[str, Any]]:
        try:
            found = records(self.directory / folder)
        except FileNotFoundError:  # it is not set up yet
            return {}
        return {name: record for name, record in found.items() if _name_of(record) == name}

    def _read(self, folder: str, name: str) -> dict[str, Any] | None:
        return read_record(self._path(folder, name))

    def _write(self, folder: str, name: str, record: Mapping[str, Any]) -> None:
        writer = f"{os.getpid()}-{threading.get_ident()}"
        new = self.directory / WRITING / f"{folder}.{name}.{writer}"
        new.write_text(json.dumps(record), encoding="utf-8")
        new.replace(self._path(folder, name))
        self._forget_unfinished(folder, name)

    def _drop(self, folder: str, name: str) -> None:
        with suppress(FileNotFoundError):
            self._path(folder, name).unlink()
        self._forget_unfinished(folder, name)

    def _unfinished(self, folder: str, name: str) -> list[Path]:
        """The files that processes which have ended wrote for the record *name*, and never put in place."""
        written = (self.directory / WRITING).glob(f"{folder}.{name}.*-*")
        return [path for path in written if _is_abandoned(path.suffix)]

    def _forget_unfinished(self, folder: str, name: str) -> None:
        for path in self._unfinished(folder, name):
            path.unlink(missing_ok=True)

    def _append(self, name: str, line: bytes) -> int:
        """Append in one write; return the new length of the file in bytes."""
        fd = os.open(self.directory / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(fd, line)
            return os.lseek(fd, 0, os.SEEK_CUR)
        finally:
            os.close(fd)


def _is_abandoned(suffix: str) -> bool:
    """Whether *suffix*, as in `.PID-THREAD`, is of a process that has ended."""
    process = suffix[1:].partition("-")[0]
    return process.isdecimal() and not psutil.pid_exists(int(process))


def _name_of(record: Mapping[str, Any]) -> str | None:
    """The name under which *record* is stored: that of a copy of its file differs."""
    item_id, share_id = record.get("id"), record.get("share_id")
    return item_id if share_id is None else f"{share_id}@{item_id}"
