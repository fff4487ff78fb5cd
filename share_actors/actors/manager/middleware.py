"""What the manager does to some commands before it routes them: place shares, seal secrets."""

from __future__ import annotations

from collections.abc import Callable

from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    command_in,
    fingerprint,
    refusal,
    unpack_error,
)
from share_actors.actors.scheduling.scheduler import Scheduler
from share_actors.actors.sealing import Sealer
from share_actors.errors import Busy, InvalidRequest, NotFound, Refused, ShareActorsError
from share_actors.events.aggregates import id_of
from share_actors.events.decider import Command
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import CreateShare
from share_actors.events.share_network import AddSecurityService

CHANGED_TOPICS = frozenset({"share.create", "share.manage", "network.add_security_service"})
"""Topics of the commands that are checked or changed here."""
SHARE_TYPE_TOPICS = frozenset({"type.create", "type.change", "type.delete"})
_NOT_RECORDED = (Busy, InvalidRequest, NotFound, Refused)
"""Errors after which certainly nothing was recorded."""


class Middleware:
    """Handles commands before and after the manager routes them."""

    def __init__(self, scheduler: Scheduler, sealer: Callable[[], Sealer]) -> None:
        self._scheduler, self._sealer = scheduler, sealer

    async def before_dispatch(
        self, messages: list[CommandMessage]
    ) -> list[CommandMessage | CommandReply]:
        """For each message, in order: the message to route, or the error reply if it is refused."""
        for message in messages:
            if message.topic in SHARE_TYPE_TOPICS:
                self._scheduler.forget_type(id_of(message.share_id))
        if not any(message.topic in CHANGED_TOPICS for message in messages):
            return [*messages]
        return [await self._prepare(message) for message in messages]

    def after_dispatch(self, messages: list[CommandMessage], replies: list[CommandReply]) -> None:
        """Cancel the reservations of shares that were certainly not recorded."""
        for message, reply in zip(messages, replies, strict=True):
            if message.topic != "share.create":
                continue
            error = None if reply.error is None else unpack_error(reply.error)
            if isinstance(error, _NOT_RECORDED):
                self._scheduler.reservations.cancel(message.share_id)
            else:  # recorded, or perhaps recorded: the next refresh from the catalog decides
                self._scheduler.reservations.mark_recorded(message.share_id)

    async def _prepare(self, message: CommandMessage) -> CommandMessage | CommandReply:
        if message.topic not in CHANGED_TOPICS:
            return message
        try:
            command = command_in(message)
        except InvalidRequest:
            return message  # its host replies with the error
        try:
            changed = await self._change(command, repeated=message.repeated)
        except ShareActorsError as error:
            return refusal(message, error)
        content = message.content or fingerprint(message.topic, message.body)
        return message._replace(body=changed.model_dump_json().encode(), content=content)

    async def _change(self, command: Command, *, repeated: bool) -> Command:
        match command:
            case CreateShare(placement=None):
                return await self._scheduler.place(command, repeated=repeated)
            case ManageShare(share_type=str(name), host=host, project_id=project):
                await self._check_server_mode(name, host, project)
                return command
            case AddSecurityService(service=service) if service.password is not None:
                sealed = service.replace(password=self._sealer().seal(service.password))
                return command.replace(service=sealed)
            case _:
                return command

    async def _check_server_mode(self, name: str, host: str, project: str) -> None:
        """Raise `Refused` if the share type requires the mode of share servers that the backend lacks."""
        required = (await self._scheduler.share_type(name, project)).handles_servers
        backend = self._scheduler.config.backends.get(host.partition("#")[0])
        if backend is not None and required not in (None, backend.driver_handles_share_servers):
            raise Refused(
                f"share type {name} requires driver_handles_share_servers={required}, which backend"
                f" {host} does not have (ManageExistingShareTypeMismatch)",
                field="share_type",
                value=name,
            )
