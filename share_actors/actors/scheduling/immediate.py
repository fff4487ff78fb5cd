"""The placement of the many shares for which nothing has to be looked up or waited for."""

from __future__ import annotations

from share_actors.actors.messaging.messages import CommandMessage
from share_actors.actors.scheduling.candidates import candidates
from share_actors.actors.scheduling.ledger import Decision
from share_actors.actors.scheduling.scheduler import Scheduler
from share_actors.scheduling.request import RequestSpec
from share_actors.values import Assignment, PlacementRequest


def may_be_immediate(
    scheduler: Scheduler, message: CommandMessage, request: PlacementRequest
) -> bool:
    """Whether nothing has to be looked up: it may not exist, nor depend on a type or on other entities."""
    ledger = scheduler.ledger
    alone = PlacementRequest(
        request.size, request.share_proto, request.host, availability_zone=request.availability_zone
    )
    if message.repeated or request != alone or scheduler.config.scheduler.default_share_type:
        return False
    return not (ledger.has_unsized or ledger.host_of(message.share_id))


def place_immediately(
    scheduler: Scheduler, message: CommandMessage, request: PlacementRequest
) -> Assignment | None:
    """The pool of a new share, as `Scheduler.place` chooses it, with its room taken.

    `may_be_immediate` holds. None if the choice depends on more than the reports that are here and the room
    that is known: then nothing has changed, and `Scheduler.place` makes it, or says why none fits.
    """
    ledger = scheduler.ledger
    spec = RequestSpec(
        share_id=message.share_id,
        size=request.size,
        share_proto=request.share_proto,
        requested_host=request.host or None,
        availability_zone=request.availability_zone,
    )
    if scheduler.backend_reports.unreported(candidates(spec, scheduler.config.backends)):
        return None
    chosen, placement = scheduler.choose_pool(spec)
    if chosen is None:
        return None
    decision = Decision(message.share_id, message.command_id)
    ledger.watch(decision)
    ledger.take(decision, chosen.name, request.size)
    return Assignment(chosen.name, None, placement, extra_specs={})
