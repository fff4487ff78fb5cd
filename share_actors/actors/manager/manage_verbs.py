"""The manager's verbs about what exists already, and about share servers, by the seed's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from share_actors.actors.effects.server_attachment import SERVER
from share_actors.actors.manager.periodic_tasks import PeriodicTasks
from share_actors.actors.manager.request_spec import managed_fields
from share_actors.actors.manager.share_verbs import Context, Told, Verbs, context_of
from share_actors.actors.messaging.messages import build
from share_actors.actors.ports import Stats
from share_actors.config import Config
from share_actors.errors import InvalidRequest
from share_actors.events.share.manage import ManageShare, UnmanageShare
from share_actors.events.share.snapshot_messages import ManageSnapshot, UnmanageSnapshot
from share_actors.events.share_server import DeleteServer, RetryServer
from share_actors.values import Share


class ManageVerbs(Verbs):
    """`manage_share`, `unmanage_share`, `delete_share_server`, `delete_free_share_servers`."""

    _config: Config
    _periodic_tasks: PeriodicTasks

    async def _stats_of(self, backend: str) -> Stats:
        raise NotImplementedError

    # -- shares ----------------------------------------------------------------------------------
    async def manage_share(
        self, context: Context, share_id: str, driver_options: Mapping[str, Any] | None = None, *,
        wait: bool = False, command_id: str | None = None, **properties: Any,
    ) -> Told:  # fmt: skip
        """Adopt what *driver_options* say is on a backend; *properties* as of `create_share`."""
        who = context_of(context)
        fields = managed_fields(properties, self._config, who)
        options = {"share_id": share_id, "driver_options": dict(driver_options or {})}
        command = build(ManageShare, {**fields, **options})
        return await self._ask(who, share_id, command, wait, command_id)

    async def preview_manage(
        self, context: Context, driver_options: Mapping[str, Any] | None = None, **properties: Any
    ) -> dict[str, Any]:
        """What `manage_share` would adopt, changing nothing: at least its `size`."""
        who, share_id = context_of(context), str(uuid4())
        fields = managed_fields(properties, self._config, who)
        command = build(ManageShare, {**fields, "share_id": share_id})
        assert isinstance(command, ManageShare)
        share = Share(id=share_id, host=command.host, share_proto=command.share_proto)
        stats = await self._stats_of(share.backend)
        return await stats.preview(share, dict(driver_options or {}))

    async def unmanage_share(
        self, context: Context, share_id: str, *, wait: bool = False, command_id: str | None = None
    ) -> Told:
        """Forget a share, and leave what is on its backend as it is."""
        return await self._ask(context_of(context), share_id, UnmanageShare(), wait, command_id)

    # -- snapshots -------------------------------------------------------------------------------
    async def manage_snapshot(
        self, context: Context, snapshot_id: str, driver_options: Mapping[str, Any] | None = None, *,
        share_id: str, provider_location: str, name: str | None = None, wait: bool = False,
        command_id: str | None = None,
    ) -> Told:  # fmt: skip
        """Adopt a snapshot that exists on the backend."""
        fields = {
            "snapshot_id": snapshot_id, "name": name, "provider_location": provider_location,
            "driver_options": dict(driver_options or {}),
        }  # fmt: skip
        command = build(ManageSnapshot, fields)
        return await self._ask(context_of(context), share_id, command, wait, command_id)

    async def unmanage_snapshot(
        self, context: Context, snapshot_id: str, *, share_id: str | None = None,
        wait: bool = False, command_id: str | None = None,
    ) -> Told:  # fmt: skip
        """Forget a snapshot, and leave it on the backend."""
        of = share_id or await self._share_of("snapshot_share", snapshot_id, "snapshot")
        command = build(UnmanageSnapshot, {"snapshot_id": snapshot_id})
        return await self._ask(context_of(context), of, command, wait, command_id)

    # -- share servers ---------------------------------------------------------------------------
    async def delete_share_server(
        self, context: Context, share_server: Any, *, wait: bool = False,
        command_id: str | None = None,
    ) -> Told:  # fmt: skip
        """Tear a server down (its id, or a mapping with it); `ShareServerInUse` while it has shares."""
        server_id = _id(share_server)
        address, command = f"{SERVER}{server_id}", DeleteServer()
        return await self._ask(context_of(context), address, command, wait, command_id)

    async def retry_share_server(
        self, context: Context, share_server: Any, *, wait: bool = False,
        command_id: str | None = None,
    ) -> Told:  # fmt: skip
        """Try again to tear down a server that is in error."""
        address = f"{SERVER}{_id(share_server)}"
        return await self._ask(context_of(context), address, RetryServer(), wait, command_id)

    async def delete_free_share_servers(self, ctxt: Context = None) -> list[str]:
        """Have servers deleted that nobody has used for long (it happens by itself); their ids."""
        return await self._periodic_tasks.delete_free_servers()


def _id(share_server: Any) -> str:
    found = share_server if isinstance(share_server, str) else share_server["id"]
    if not isinstance(found, str) or not found:
        raise InvalidRequest(f"share_server: {found!r} is no id", field="share_server", value=found)
    return found
