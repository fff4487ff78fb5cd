"""Requests to manage what a backend has: those that can never work are refused before they are recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from contextlib import suppress

from share_actors.actors.entity.permission import check_permission
from share_actors.actors.messaging.messages import CommandMessage, command_in
from share_actors.actors.messaging.parameters import not_found
from share_actors.actors.ports import CatalogPort, Stats
from share_actors.errors import Unavailable
from share_actors.events.decider import Command
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.snapshot.messages import ManageSnapshot
from share_actors.values import Share, Snapshot


class ManageChecks:
    """Asks the backend's driver as a dry run does; its entity decides about what is managed already."""

    def __init__(self, catalog: CatalogPort, stats_of: Callable[[str], Awaitable[Stats]]) -> None:
        self._catalog, self._stats_of = catalog, stats_of

    async def check(self, message: CommandMessage, backends: Container[str]) -> None:
        """Raise `Refused` if what *message* asks to manage, on one of *backends*, can never be managed."""
        command = command_in(message)
        share: Share | None = await self._catalog.ask("share", share_id=message.share_id)
        backend, item = _new_item(command, share)
        if item is None or backend not in backends:
            return
        assert isinstance(command, ManageShare | ManageSnapshot)
        check_permission(
            command, message.caller, share, lambda: not_found("share", message.share_id)
        )  # else its answer would tell the caller what is on the backend
        with suppress(Unavailable):  # the stats actor is being restarted
            stats = await self._stats_of(backend)
            await stats.check_manage(item, command.driver_options)


def _new_item(command: Command, share: Share | None) -> tuple[str, Share | Snapshot | None]:
    """What *command* is to manage and on which backend; None if it exists, or its share does not."""
    match command:
        case ManageShare(spec=spec, share_id=i, extra_specs=specs) if share is None:
            server_id = command.share_server_id
            new = Share.from_spec(spec, id=i, extra_specs=specs, share_server_id=server_id)
            return spec.backend, new
        case ManageSnapshot(snapshot_id=i) if share is not None and share.status == "available":
            if all(snapshot.id != i for snapshot in share.snapshots):
                return share.backend, _snapshot(command, share)
    return "", None


def _snapshot(command: ManageSnapshot, share: Share) -> Snapshot:
    return Snapshot(
        id=command.snapshot_id,
        share_id=share.id,
        name=command.name,
        size=share.size,
        share_proto=share.share_proto,
        provider_location=command.provider_location,
        share=share.alone(),
    )
