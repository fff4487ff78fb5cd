"""Requests of the asynchronous client that change the properties, the size or the content of a share."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterable, Mapping
from typing import Self, Unpack

from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import flag, mapping, sequence
from share_actors.client.keywords import RequestOptions
from share_actors.client.share.blocking import blocking_request
from share_actors.client.share.exits import id_of
from share_actors.client.share.protection import AsyncShareProtection, ShareProtection
from share_actors.events.share.messages import (
    ChangeShare,
    ExtendShare,
    RevertToSnapshot,
    ShrinkShare,
)
from share_actors.values import Snapshot


class AsyncShareChanges(AsyncShareProtection, ABC):
    """The part of `AsyncShare` that changes its properties, its size or its content."""

    async def set(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        is_public: bool | None = None,
        metadata: Mapping[str, str] | None = None,
        **options: Unpack[RequestOptions],
    ) -> Self:
        """Change the given properties; those that are None stay. Keys of *metadata* are added or replaced.

        No driver is called. Raises `InvalidRequest` naming the field; `Forbidden` if a member of
        the project gives `is_public=True`; `Refused` for a share that is deleted.

        >>> share.set(name="archive", metadata={"team": "web"}).name
        'archive'
        """
        given = {"name": name, "description": description, "is_public": is_public}
        fields = {**given, "metadata": mapping("metadata", metadata)}
        return await self._ask(build(ChangeShare, fields), options)

    async def unset(
        self,
        *,
        name: bool = False,
        description: bool = False,
        metadata: Iterable[str] = (),
        **options: Unpack[RequestOptions],
    ) -> Self:
        """Remove its name, its description, or these keys of its metadata."""
        removed = {"name": flag("name", name), "description": flag("description", description)}
        unset = tuple(part for part, is_removed in removed.items() if is_removed)
        changes = dict.fromkeys(sequence("metadata", metadata))
        return await self._ask(build(ChangeShare, {"unset": unset, "metadata": changes}), options)

    async def extend(self, size: int, **options: Unpack[RequestOptions]) -> Self:
        """Extend the share to *size* GiB; raises `Refused` if that is not more than now.

        >>> share.extend(20).size
        20
        """
        return await self._ask(build(ExtendShare, {"size": size}), options)

    async def shrink(self, size: int, **options: Unpack[RequestOptions]) -> Self:
        """Shrink the share to *size* GiB.

        Raises `Refused` if that is not less than now, `OperationFailed` if more is used; the share stays
        available with its size then.
        """
        return await self._ask(build(ShrinkShare, {"size": size}), options)

    async def revert_to(self, snapshot: Snapshot | str, **options: Unpack[RequestOptions]) -> Self:
        """Replace the content of the share by that of its latest snapshot (or the one with this id).

        What was written since the snapshot is lost. Size, access rules and export locations stay. If its
        clients must mount the share again, `status_reason` says so. Raises `NotFound`; `Refused` for a
        snapshot that is not the latest, is larger than the share or is not available, and for a backend
        that cannot revert; `OperationFailed` with the backend's reason.
        """
        command = build(RevertToSnapshot, {"snapshot_id": id_of(snapshot)})
        return await self._ask(command, options)


class ShareChanges(ShareProtection):
    """The same of `ShareHandle`."""

    set = blocking_request(AsyncShareChanges.set)
    unset = blocking_request(AsyncShareChanges.unset)
    extend = blocking_request(AsyncShareChanges.extend)
    shrink = blocking_request(AsyncShareChanges.shrink)
    revert_to = blocking_request(AsyncShareChanges.revert_to)
