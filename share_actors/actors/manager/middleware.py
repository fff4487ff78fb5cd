"""What the manager does before and after it routes commands: it places shares and keeps the ledger."""

from __future__ import annotations

import logging

from share_actors.actors.manager.manage_checks import ManageChecks
from share_actors.actors.manager.references import References
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    error_reply,
    unpack_error,
)
from share_actors.actors.messaging.routes import (
    ADOPTIONS,
    COUNTED,
    must_be_placed,
    removes_references,
)
from share_actors.actors.ports import CatalogPort
from share_actors.actors.scheduling.admission import Admission
from share_actors.actors.scheduling.candidates import with_type
from share_actors.actors.scheduling.growth import Growth
from share_actors.actors.scheduling.immediate import may_be_immediate, place_immediately
from share_actors.actors.scheduling.ledger import Decision
from share_actors.actors.scheduling.scheduler import Scheduler
from share_actors.errors import (
    Busy,
    InvalidRequest,
    LogError,
    NotFound,
    Refused,
    ShareActorsError,
)
from share_actors.events.aggregates import id_of
from share_actors.events.share.manage import ManageShare
from share_actors.events.share.messages import CreateShare, ExtendShare, RetryShare, ShrinkShare
from share_actors.events.share_type import ChangeShareType, CreateShareType, DeleteShareType
from share_actors.policy import Caller
from share_actors.values import Assignment, Placement, PlacementRequest

logger = logging.getLogger(__name__)
SHARE_TYPE_TOPICS = frozenset({CreateShareType.topic, ChangeShareType.topic, DeleteShareType.topic})
GROWTH_TOPICS = frozenset({ExtendShare.topic, RetryShare.topic})
LEDGER_TOPICS = GROWTH_TOPICS | {CreateShare.topic, ManageShare.topic, ShrinkShare.topic} | COUNTED
_NOT_RECORDED = (Busy, InvalidRequest, NotFound, Refused)
"""Errors after which certainly nothing was recorded."""


class Middleware:
    """Handles commands before and after the manager routes them."""

    def __init__(
        self, scheduler: Scheduler, catalog: CatalogPort, manage_checks: ManageChecks
    ) -> None:
        self._scheduler, self._references = scheduler, References(catalog)
        quotas = scheduler.config.quotas
        self.admission = self._admission = Admission(catalog, quotas, scheduler.is_recorded)
        self._manage_checks, self._growth = manage_checks, Growth(scheduler)

    def must_place(self, message: CommandMessage) -> bool:
        """Whether `place` is to be called before *message* is routed.

        It has or removes references, or uses more of a quota than is known to be left.
        """
        self._forget(message)
        return must_be_placed(message) or not self._admission.passes(message)

    def placed_immediately(self, message: CommandMessage) -> CommandMessage | None:
        """The message to route, if it is a creation whose pool can be chosen now; None: `place` does it."""
        request = message.placement_request
        if request is None or message.topic != CreateShare.topic:
            return None
        if not may_be_immediate(self._scheduler, message, request):
            return None
        if not self._admission.passes(message, request):
            return None
        try:
            assignment = place_immediately(self._scheduler, message, request)
        except Exception:  # `place` comes to it too, and replies; others of the batch must not fail
            logger.debug("share %s can't be placed at once", message.share_id, exc_info=True)
            assignment = None
        if assignment is None:
            self._admission.withdraw(message)
            return None
        return message._replace(assignment=assignment, placement_request=None)

    async def place(self, message: CommandMessage) -> CommandMessage | CommandReply:
        """The message to route, or the error reply if it is refused."""
        try:
            return await self._placed(message)
        except LogError as error:  # the catalog's, which does not know that a command waits
            return error_reply(message, error.not_recorded())
        except ShareActorsError as error:
            return error_reply(message, error)
        except Exception as error:  # whatever it is, the caller must get a reply
            logger.exception("share %s can't be placed", message.share_id)
            return error_reply(message, ShareActorsError(f"internal error: {error!r}"))

    def after_dispatch(self, message: CommandMessage, reply: CommandReply) -> None:
        """Give back the room and the quota that were taken for a command that was certainly not recorded."""
        self._forget(message)
        self._admission.after_reply(message, reply, _NOT_RECORDED)
        if message.placement_request is None:
            return
        ledger = self._scheduler.ledger
        decision = Decision(message.share_id, message.command_id)
        error = None if reply.error is None else unpack_error(reply.error)
        if error is None:
            ledger.record(decision)
        elif isinstance(error, _NOT_RECORDED):
            ledger.cancel(decision)
        else:
            ledger.doubt(decision)

    def _forget(self, message: CommandMessage) -> None:
        """Drop what the command changes from all caches: before it is routed, and once it is recorded."""
        if message.topic in SHARE_TYPE_TOPICS:
            self._scheduler.forget_type(id_of(message.share_id))
        self._references.forget(message)
        self._admission.before_routing(message)

    async def _placed(self, message: CommandMessage) -> CommandMessage:
        request = message.placement_request
        decision = Decision(message.share_id, message.command_id)
        if request is not None:
            self._scheduler.ledger.watch(decision)
        if removes_references(message):
            await self._references.check_unused(message)
        if request is not None and message.topic == CreateShare.topic:
            resolved, implied = await self._references.resolve(message, request)
            await self._admission.admit(
                message, with_type(resolved, self._scheduler.config.scheduler)
            )
            placed = await self._scheduler.place(message, resolved)
            specs = await self._scheduler.extra_specs(placed.share_type)
            return message._replace(assignment=placed._replace(implied=implied, extra_specs=specs))
        await self._admission.admit(message, request)
        if request is not None and message.topic in GROWTH_TOPICS:
            await self._growth.admit(message, request)
        if request is not None and message.topic == ShrinkShare.topic:
            await self._growth.check_shrink(message, request)
        if request is not None and request.share_type is not None:
            await self._check_server_mode(request.share_type, request.host, message.caller)
        if request is not None and message.topic == ManageShare.topic:
            self._scheduler.ledger.manage(decision)
            message = message._replace(assignment=await self._found(message, request))
        if message.topic in ADOPTIONS:
            await self._manage_checks.check(message, self._scheduler.config.backends)
        return message

    async def _found(self, message: CommandMessage, request: PlacementRequest) -> Assignment:
        """What a share that is to be managed comes to by its share type and its share server."""
        implied = await self._references.server_network(message, request)
        specs = None
        if request.share_type is not None:
            specs = await self._scheduler.extra_specs(request.share_type)
        return Assignment(request.host, request.share_type, Placement(), implied, specs)

    async def _check_server_mode(self, name: str, host: str, caller: Caller) -> None:
        """Raise `Refused` if the share type requires the mode of share servers that the backend lacks."""
        required = (await self._scheduler.share_type(name, caller)).handles_servers
        backend = self._scheduler.config.backends.get(host.partition("#")[0])
        if backend is not None and required not in (None, backend.driver_handles_share_servers):
            raise Refused(
                f"share type {name} requires driver_handles_share_servers={required}, which backend"
                f" {host} does not have (ManageExistingShareTypeMismatch)",
                field="share_type",
                value=name,
            )
