"""Reverting a share of the driver `btrfs` to a snapshot: a writable copy takes the share's place.

The state before is kept as POOL/before/ID until the share is deleted or reverted again. The record `REVERT`
has the ids of the subvolumes, so that a repetition knows which of the steps are done:
{"snapshot": its name, "request": the id of the request, "replaced": the subvolume before, "done": bool}.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from share_actors.drivers.base import DriverError
from share_actors.drivers.btrfs.records import REVERT
from share_actors.drivers.btrfs.snapshots import BtrfsSnapshots, snapshot_name
from share_actors.drivers.fence import Fence
from share_actors.values import RequestContext, Share, Snapshot


class BtrfsRevert(BtrfsSnapshots):
    """The method of the ability `Reverts`."""

    def revert_to_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> bool:
        """Replace the content of *share*; returns True: clients must mount it again.

        Size, rules and export locations stay. Clients get "stale file handle" until they mount it again.
        """
        name = snapshot_name(snapshot)
        operation = f"revert to snapshot {snapshot.id} share"
        with (
            self._share_lock(operation, share.id, context, must_exist=True) as fence,
            self._lock(name, shared=True),
        ):
            self._snapshot_must_exist(name)
            record = self._begin_revert(share.id, name, context.request_id, fence)
            if not record["done"]:
                self._replace(share.id, name, record, fence)
        return True

    def _begin_revert(
        self, share_id: str, snapshot: str, request: str | None, fence: Fence
    ) -> dict[str, Any]:
        """The record of this revert: the one that an earlier attempt began, or a new one."""
        old = self._records.read(share_id, REVERT)
        if old and _repeats(old, snapshot, request):
            return old
        if old and not old["done"]:
            self._keep_replaced(share_id, old, fence)
        fence.check()
        replaced = self._pool.tree("shares", share_id)
        record = {"snapshot": snapshot, "request": request, "replaced": replaced, "done": False}
        self._records.write(share_id, REVERT, record)
        return record

    def _replace(self, share_id: str, snapshot: str, record: dict[str, Any], fence: Fence) -> None:
        try:
            if self._pool.tree("shares", share_id) == record["replaced"]:
                self._suspend(share_id, fence)
                limit = self._pool.limit(share_id)
                self._pool.make(share_id, limit, snapshot, fence.check)
                fence.check()
                self._pool.swap(share_id)
            self._keep_replaced(share_id, record, fence)
            self._pool.sync()
        except (DriverError, OSError):
            with suppress(DriverError, OSError):  # the first error says more
                self._serve(share_id, fence)
            raise
        self._serve(share_id, fence)
        self._records.write(share_id, REVERT, {**record, "done": True})

    def _keep_replaced(self, share_id: str, record: dict[str, Any], fence: Fence) -> None:
        """Move the replaced subvolume out of `making`, where the exchange left it."""
        if self._pool.tree("making", share_id) == record["replaced"]:
            self._pool.keep_before(share_id, fence.check)

    def _finish_revert(self, share_id: str, fence: Fence) -> None:
        """Complete an interrupted revert if the content is replaced, else forget it: nothing happened yet.

        A later revert is then a new one.
        """
        record = self._records.read(share_id, REVERT)
        if not record or record["done"]:
            return
        if self._pool.tree("shares", share_id) == record["replaced"]:
            fence.check()
            self._records.remove(share_id, REVERT)
            return
        self._keep_replaced(share_id, record, fence)
        self._records.write(share_id, REVERT, {**record, "done": True})


def _repeats(record: dict[str, Any], snapshot: str, request: str | None) -> bool:
    """Whether a call is a repetition of the revert in *record*; without an id only if that did not end."""
    same = (record["snapshot"], record["request"]) == (snapshot, request)
    return same and (request is not None or not record["done"])
