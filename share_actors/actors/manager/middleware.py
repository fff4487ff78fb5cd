"""What the manager does to some commands before they go to their entity: place shares, seal secrets."""

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

TOPICS = frozenset({"share.create", "share.manage", "network.add_security_service"})
_NOT_RECORDED = (Busy, InvalidRequest, NotFound, Refused)
TYPES = frozenset({"type.create", "type.change", "type.delete"})


class Middleware:
    """Commands on their way through the manager, and what becomes of them as far as that matters here."""

    def __init__(self, scheduler: Scheduler, sealer: Callable[[], Sealer]) -> None:
        self._scheduler, self._sealer = scheduler, sealer

    async def prepared(self, asks: list[CommandMessage]) -> list[CommandMessage | CommandReply]:
        """Each as it goes on, or the answer that it is refused with; in order."""
        for asked in asks:
            if asked.topic in TYPES:
                self._scheduler.forget_type(id_of(asked.share_id))
        if not any(asked.topic in TOPICS for asked in asks):
            return [*asks]
        return [await self._prepared(asked) for asked in asks]

    def answered(self, asks: list[CommandMessage], answers: list[CommandReply]) -> None:
        """What came of them: places that nothing came of are free again."""
        for asked, answer in zip(asks, answers, strict=True):
            if asked.topic == "share.create":
                certain = answer.error is not None and isinstance(
                    unpack_error(answer.error), _NOT_RECORDED
                )
                if certain:
                    self._scheduler.reservations.cancel(asked.share_id)
                else:  # in the log, or perhaps: the next look into the catalog tells
                    self._scheduler.reservations.mark_recorded(asked.share_id)

    async def _prepared(self, asked: CommandMessage) -> CommandMessage | CommandReply:
        if asked.topic not in TOPICS:
            return asked
        try:
            command = command_in(asked)
        except InvalidRequest:
            return asked  # whoever it is for says what is wrong with it
        try:
            ready = await self._ready(command, repeated=asked.repeated)
        except ShareActorsError as error:
            return refusal(asked, error)
        content = asked.content or fingerprint(asked.topic, asked.body)
        return asked._replace(body=ready.model_dump_json().encode(), content=content)

    async def _ready(self, command: Command, *, repeated: bool) -> Command:
        match command:
            case CreateShare(placement=None):
                return await self._scheduler.placed(command, repeated=repeated)
            case ManageShare(share_type=str(name), host=host, project_id=project):
                await self._same_mode(name, host, project)
                return command
            case AddSecurityService(service=service) if service.password is not None:
                sealed = service.replace(password=self._sealer().seal(service.password))
                return command.replace(service=sealed)
            case _:
                return command

    async def _same_mode(self, name: str, host: str, project: str) -> None:
        """`ManageExistingShareTypeMismatch`: the type says what the backend is not."""
        wanted = (await self._scheduler.share_type(name, project)).handles_servers
        settings = self._scheduler.config.backends.get(host.partition("#")[0])
        if settings is not None and wanted not in (None, settings.driver_handles_share_servers):
            raise Refused(
                f"share type {name} wants driver_handles_share_servers={wanted}, and backend {host} has"
                " it otherwise (ManageExistingShareTypeMismatch)",
                field="share_type", value=name,
            )  # fmt: skip
