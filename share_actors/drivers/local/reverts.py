"""Reverts of the driver `local`: a copy of the snapshot takes the place of the share's directory."""

from __future__ import annotations

from typing import Any

from share_actors.drivers.fence import check_deadline
from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.copying import copy_tree, logged
from share_actors.drivers.filesystem.granting import set_grants
from share_actors.drivers.local.base import LocalBase
from share_actors.drivers.local.layout import snapshot_name
from share_actors.values import RequestContext, Share, Snapshot


class LocalReverts(LocalBase):
    """The method of `drivers.abilities.Reverts` of `LocalDriver`."""

    def revert_to_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> bool:
        """Exchange the directory of *share* for a copy of *snapshot* with the rules that are in force.

        Users see the content from before or that of the snapshot, never a mixture; open files, and a
        working directory in the share, stay those from before. What the share had before is not kept, and
        the copy needs the disk space of the snapshot until that is removed. Returns False: the path stays.
        """
        name = snapshot_name(share.id, snapshot.id)
        with (
            self._share_lock("revert share", share.id, context, must_exist=True) as fence,
            self._layout.lock(name, shared=True),
        ):
            self._must_exist("snapshots", name)
            with self._layout.folder("shares", share.id) as fd:
                grants = acl.grants_of(fd)

            def progress(done: int, total: int) -> None:
                fence.check()
                check_deadline(operation)
                self.progress(operation, done, total)

            operation = f"copy of {name} to {share.id}"
            with (
                self._layout.folder("snapshots", name) as original,
                self._layout.replacing(share.id, fence.changing) as copy,
            ):
                copy_tree(original, copy, logged(operation, progress))
                set_grants(copy, grants, fence.check, is_private=True)
        return False
