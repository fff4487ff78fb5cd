"""What the manager does before and after it routes commands: it places new shares, and reserves capacity."""

from __future__ import annotations

from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    error_reply,
    unpack_error,
)
from share_actors.actors.scheduling.scheduler import Scheduler
from share_actors.errors import Busy, InvalidRequest, NotFound, Refused, ShareActorsError
from share_actors.events.aggregates import id_of
from share_actors.events.share.messages import CreateShare
from share_actors.events.share_type import ChangeShareType, CreateShareType, DeleteShareType

SHARE_TYPE_TOPICS = frozenset({CreateShareType.topic, ChangeShareType.topic, DeleteShareType.topic})
_NOT_RECORDED = (Busy, InvalidRequest, NotFound, Refused)
"""Errors after which certainly nothing was recorded."""


class Middleware:
    """Handles commands before and after the manager routes them."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def before_dispatch(
        self, messages: list[CommandMessage]
    ) -> list[CommandMessage | CommandReply]:
        """For each message, in order: the message to route, or the error reply if it is refused."""
        for message in messages:
            if message.topic in SHARE_TYPE_TOPICS:
                self._scheduler.forget_type(id_of(message.share_id))
        if not any(message.placement_request for message in messages):
            return [*messages]
        return [await self._prepare(message) for message in messages]

    def after_dispatch(self, messages: list[CommandMessage], replies: list[CommandReply]) -> None:
        """Cancel the reservations of shares that were certainly not recorded."""
        for message, reply in zip(messages, replies, strict=True):
            if message.topic != CreateShare.topic:
                continue
            error = None if reply.error is None else unpack_error(reply.error)
            if isinstance(error, _NOT_RECORDED):
                self._scheduler.reservations.cancel(message.share_id)
            else:  # recorded, or perhaps recorded: the next refresh from the catalog decides
                self._scheduler.reservations.mark_recorded(message.share_id)

    async def _prepare(self, message: CommandMessage) -> CommandMessage | CommandReply:
        request = message.placement_request
        if request is None:
            return message
        try:
            if message.topic == CreateShare.topic:
                placed = await self._scheduler.place(message, request)
                return message._replace(assignment=placed)
            if request.share_type is not None:
                await self._check_server_mode(request.share_type, request.host, message.project_id)
        except ShareActorsError as error:
            return error_reply(message, error)
        return message

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
