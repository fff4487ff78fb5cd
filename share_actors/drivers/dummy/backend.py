"""The state of a dummy backend: files that every process sees and tests can read."""

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

from share_actors.drivers.base import DriverError
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.local.layout import snapshot_name
from share_actors.values import RequestContext


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a driver method, as it began; `at` is in seconds since the epoch."""

    method: str
    share_id: str
    snapshot_id: str = ""
    attempt: int = 0
    token: str = ""
    pid: int = 0
    at: float = 0.0


class DummyBackend:
    """What a dummy backend holds in *directory*, and every call that was made to it."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)

    def prepare(self) -> None:
        """Make the directories; again is harmless."""
        for name in ("shares", "snapshots", "servers", "networks", "counters"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)

    # -- what there is -------------------------------------------------------------------------
    def shares(self) -> dict[str, dict[str, Any]]:
        """Each share that exists, by id: `size` in GiB, `rules` by id, `snapshot_id` it came from."""
        return self._all("shares")

    def snapshots(self) -> dict[str, dict[str, Any]]:
        """Each snapshot that exists, by id: `share_id`."""
        return {held["id"]: held for held in self._all("snapshots").values()}

    def rules(self, share_id: str) -> dict[str, dict[str, Any]]:
        """The rules of a share, by id: `access_type`, `access_to`, `access_level`."""
        rules: dict[str, dict[str, Any]] = self.share(share_id)["rules"]
        return rules

    def calls(self, method: str | None = None, share_id: str | None = None) -> list[Call]:
        """The calls so far, oldest first: all, or those of one method or share."""
        try:
            lines = (self.directory / "calls.log").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        calls = (Call(**json.loads(line)) for line in lines)
        return [c for c in calls if method in (None, c.method) and share_id in (None, c.share_id)]

    def servers(self) -> dict[str, dict[str, Any]]:
        """Each share server that is set up, by id: `addresses`, and what it was given."""
        return self._all("servers")

    def networks(self) -> dict[str, dict[str, Any]]:
        """The addresses that are in use on the backend, by the id of the share server: `addresses`."""
        return self._all("networks")

    # -- what the driver does ------------------------------------------------------------------
    def record_call(
        self, method: str, context: RequestContext, share_id: str, snapshot: str
    ) -> None:
        """Add a call to the log, in one write, so that those of several processes never mix."""
        call = Call(
            method, share_id, snapshot, context.attempt, context.token, os.getpid(), time.time()
        )
        self._append("calls.log", (json.dumps(asdict(call)) + "\n").encode())

    def count(self, method: str, share_id: str) -> int:
        """How often this was called with the same arguments, this time included."""
        return self._append(f"counters/{method}@{checked_id('share', share_id)}", b".")

    def share(self, share_id: str) -> dict[str, Any]:
        """One share; raises `DriverError` if it does not exist."""
        if (held := self._read("shares", checked_id("share", share_id))) is None:
            raise DriverError(f"share {share_id} does not exist")
        return held

    def add_share(
        self,
        share_id: str,
        size: int,
        snapshot_id: str | None = None,
        *,
        pool: str = "",
        server: str | None = None,
    ) -> None:
        """Make a share, unless it exists."""
        if self._read("shares", checked_id("share", share_id)) is None:
            held = {"id": share_id, "size": size, "snapshot_id": snapshot_id, "rules": {}}
            self._write("shares", share_id, {**held, "pool": pool, "server": server})

    def keep(self, folder: str, server_id: str, **held: Any) -> None:
        """Have this in `servers` or `networks`, under the id of a share server."""
        self._write(folder, checked_id("share server", server_id), {"id": server_id, **held})

    def let_go(self, folder: str, server_id: str) -> None:
        self._drop(folder, checked_id("share server", server_id))

    def change_share(self, share_id: str, **changes: Any) -> None:
        self._write("shares", share_id, {**self.share(share_id), **changes})

    def drop_share(self, share_id: str) -> None:
        self._drop("shares", checked_id("share", share_id))

    def snapshot(self, share_id: str, snapshot_id: str) -> dict[str, Any]:
        """One snapshot; raises `DriverError` if it does not exist."""
        if (held := self._read("snapshots", snapshot_name(share_id, snapshot_id))) is None:
            raise DriverError(f"snapshot {snapshot_id} does not exist")
        return held

    def add_snapshot(self, share_id: str, snapshot_id: str) -> None:
        """Make a snapshot of a share that exists."""
        self.share(share_id)
        held = {"id": snapshot_id, "share_id": share_id}
        self._write("snapshots", snapshot_name(share_id, snapshot_id), held)

    def drop_snapshot(self, share_id: str, snapshot_id: str) -> None:
        self._drop("snapshots", snapshot_name(share_id, snapshot_id))

    # ------------------------------------------------------------------------------------------
    def _path(self, folder: str, name: str) -> Path:
        return self.directory / folder / f"{name}.json"

    def _all(self, folder: str) -> dict[str, dict[str, Any]]:
        names = sorted(path.stem for path in (self.directory / folder).glob("*.json"))
        found = ((name, self._read(folder, name)) for name in names)
        return {name: held for name, held in found if held is not None}

    def _read(self, folder: str, name: str) -> dict[str, Any] | None:
        try:
            held: dict[str, Any] = json.loads(self._path(folder, name).read_bytes())
        except FileNotFoundError:
            return None
        return held

    def _write(self, folder: str, name: str, held: Mapping[str, Any]) -> None:
        path = self._path(folder, name)
        new = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        new.write_text(json.dumps(held), encoding="utf-8")
        new.replace(path)

    def _drop(self, folder: str, name: str) -> None:
        with suppress(FileNotFoundError):
            self._path(folder, name).unlink()

    def _append(self, name: str, line: bytes) -> int:
        """Append in one write; return where it ends, in bytes."""
        fd = os.open(self.directory / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(fd, line)
            return os.lseek(fd, 0, os.SEEK_CUR)
        finally:
            os.close(fd)
