"""How what only a backend has is deleted: under its own id, or after it was managed as a new share."""

from __future__ import annotations

from share_actors.actors.messaging.messages import build
from share_actors.audit.backend_audit import BackendDifference
from share_actors.client.keywords import RequestOptions, deadline
from share_actors.client.receipt import raise_for_status
from share_actors.client.requests import Requests
from share_actors.client.share.creator import ShareCreator
from share_actors.events.decider import Command
from share_actors.events.share.messages import DeleteShare
from share_actors.events.share.snapshot.messages import DeleteUnknownSnapshot
from share_actors.events.share.unknown_deletion import DeleteUnknownShare
from share_actors.values import Share


class UnknownDeletion:
    """Deletes what an audit has found unknown, on behalf of one user."""

    def __init__(self, requests: Requests, creator: ShareCreator) -> None:
        self._requests, self._creator = requests, creator

    async def delete(self, backend: str, item: BackendDifference, options: RequestOptions) -> Share:
        """Delete *item* from *backend*; raises as `AsyncBackendCollection.delete_unknown` does."""
        if item.of == "snapshot":
            return await self._delete_snapshot(backend, item, options)
        if item.id is None or item.share_server_id is not None:
            return await self._delete_managed(backend, item, options)
        context = self._requests.context
        spec = {"project_id": context.project_id, "user_id": context.user_id, "host": backend}
        fields = {"share_id": item.id, "spec": spec, "location": item.location, "size": item.size}
        return await self._ask(item.id, build(DeleteUnknownShare, fields), options)

    async def _delete_managed(
        self, backend: str, item: BackendDifference, options: RequestOptions
    ) -> Share:
        """Manage *item* under a new id, to which nobody has access, and delete that share."""
        requested = {
            "backend": backend,
            "protocol": "NFS",
            "share_server_id": item.share_server_id,
            "description": f"only backend {backend} had it, at {item.location}: managed to be deleted",
        }
        waiting: RequestOptions = {**options, "wait": True, "command_id": None}
        where = {"path": item.location} | ({"snapshot": True} if item.of == "snapshot" else {})
        share = await self._creator.manage(requested, where, waiting)
        return await self._ask(share.id, build(DeleteShare, {"cascade": False}), options)

    async def _delete_snapshot(
        self, backend: str, item: BackendDifference, options: RequestOptions
    ) -> Share:
        """Delete it as a snapshot of its share; managed as a share if the log has no such share."""
        if item.id is None or item.share_id is None or not item.is_of_known_share:
            return await self._delete_managed(backend, item, options)
        fields = {"snapshot_id": item.id, "location": item.location}
        return await self._ask(item.share_id, build(DeleteUnknownSnapshot, fields), options)

    async def _ask(self, share_id: str, command: Command, options: RequestOptions) -> Share:
        until = deadline(options)
        receipt = raise_for_status(await self._requests.ask(share_id, command, **options))
        if receipt.share is not None:
            return receipt.share
        share: Share = await self._requests.view_recorded(receipt, until)
        return share
