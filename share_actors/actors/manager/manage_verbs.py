"""The manager's verbs that adopt existing shares and snapshots, and those about share servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from share_actors.actors.effects.server_attachment import SERVER
from share_actors.actors.manager.periodic_tasks import PeriodicTasks
from share_actors.actors.manager.request_spec import managed_fields
from share_actors.actors.manager.share_verbs import (
    Context,
    VerbResult,
    Verbs,
    context_of,
    permit,
)
from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import known_id, mapping, new_id
from share_actors.actors.ports import Stats
from share_actors.config import Config
from share_actors.events.share.manage import ManageShare, UnmanageShare
from share_actors.events.share.snapshot.messages import ManageSnapshot, UnmanageSnapshot
from share_actors.events.share_server import DeleteServer, RetryServer
from share_actors.values import Share, ShareServer


class ManageVerbs(Verbs):
    """Managing and unmanaging of shares and snapshots; deleting share servers."""

    _config: Config
    _periodic_tasks: PeriodicTasks

    async def _stats_of(self, backend: str) -> Stats:
        raise NotImplementedError

    # -- shares ----------------------------------------------------------------------------------
    async def manage_share(
        self,
        context: Context,
        share_id: str,
        driver_options: Mapping[str, Any] | None = None,
        *,
        wait: bool = False,
        command_id: str | None = None,
        **properties: Any,
    ) -> VerbResult:
        """Adopt the share on a backend that *driver_options* identify; *properties* as of `create_share`."""
        request = context_of(context)
        fields = managed_fields(properties, self._config, request)
        options = {
            "share_id": new_id("share_id", share_id),
            "driver_options": mapping("driver_options", driver_options),
        }
        command = build(ManageShare, {**fields, **options})
        return await self._ask(request, share_id, command, wait, command_id)

    async def preview_manage(
        self, context: Context, driver_options: Mapping[str, Any] | None = None, **properties: Any
    ) -> dict[str, Any]:
        """Return the properties (at least `size`) of the share that `manage_share` would adopt."""
        permit("preview_manage", context)
        share_id = str(uuid4())
        fields = managed_fields(properties, self._config, context_of(context))
        options = mapping("driver_options", driver_options)
        command = build(ManageShare, {**fields, "share_id": share_id, "driver_options": options})
        assert isinstance(command, ManageShare)
        server_id = command.share_server_id
        share = Share.from_spec(command.spec, id=share_id, share_server_id=server_id)
        stats = await self._stats_of(share.backend)
        return await stats.preview(share, command.driver_options)

    async def unmanage_share(
        self,
        context: Context,
        share_id: str,
        *,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Stop managing a share; it stays on its backend unchanged."""
        return await self._ask_share(context, share_id, UnmanageShare(), wait, command_id)

    # -- snapshots -------------------------------------------------------------------------------
    async def manage_snapshot(
        self,
        context: Context,
        snapshot_id: str,
        driver_options: Mapping[str, Any] | None = None,
        *,
        share_id: str,
        provider_location: str,
        name: str | None = None,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Adopt a snapshot that exists on the backend."""
        fields = {
            "snapshot_id": new_id("snapshot_id", snapshot_id),
            "name": name,
            "provider_location": provider_location,
            "driver_options": mapping("driver_options", driver_options),
        }
        command = build(ManageSnapshot, fields)
        return await self._ask_share(context, share_id, command, wait, command_id)

    async def unmanage_snapshot(
        self,
        context: Context,
        snapshot_id: str,
        *,
        share_id: str | None = None,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Stop managing a snapshot; it stays on its backend unchanged."""
        request, kind = context_of(context), "snapshot"
        address = await self._address(share_id, "snapshot_share", snapshot_id, kind, request)
        command = build(UnmanageSnapshot, {"snapshot_id": snapshot_id})
        return await self._ask(request, address, command, wait, command_id)

    # -- share servers ---------------------------------------------------------------------------
    async def delete_share_server(
        self,
        context: Context,
        share_server: Any,
        *,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Tear down a share server (id, or mapping with `id`); raises `ShareServerInUse` if it has shares."""
        address = f"{SERVER}{server_id_of(share_server)}"
        return await self._ask(context_of(context), address, DeleteServer(), wait, command_id)

    async def retry_share_server(
        self,
        context: Context,
        share_server: Any,
        *,
        wait: bool = False,
        command_id: str | None = None,
    ) -> VerbResult:
        """Retry the tear-down of a share server that is in error."""
        address = f"{SERVER}{server_id_of(share_server)}"
        return await self._ask(context_of(context), address, RetryServer(), wait, command_id)

    async def delete_free_share_servers(self, ctxt: Context = None) -> list[str]:
        """Delete the share servers that have been unused for long, as happens periodically; their ids."""
        permit("delete_free_share_servers", ctxt)
        return await self._periodic_tasks.delete_free_servers()


def server_id_of(share_server: Any) -> str:
    """The id of *share_server*, which is an id or a mapping with `id`; raises `InvalidRequest`."""
    if isinstance(share_server, Mapping):
        share_server = share_server.get("id")
    elif isinstance(share_server, ShareServer):
        share_server = share_server.id
    return known_id("share server", share_server, "share_server")
