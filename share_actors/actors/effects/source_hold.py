"""Holding the snapshot that a share is created from, and releasing it: by commands to its share."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from share_actors.actors.effects.outcomes import retryable
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.config import BackendSettings
from share_actors.errors import NotFound
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command
from share_actors.events.share.snapshot.cloning import (
    CloningEffect,
    ConfirmSourceHeld,
    ConfirmSourceReleased,
    HoldSource,
)
from share_actors.events.share.snapshot.holds import HoldSnapshot, ReleaseSnapshot
from share_actors.values import RequestContext


async def perform(
    client: EntityClient, effect: CloningEffect, share_id: str, context: RequestContext
) -> Command:
    """Have the snapshot held for the share *share_id*, or released; both can be repeated.

    Raises `NotFound` or `Refused` if there is no such snapshot, or it cannot be used.
    """
    source, number = effect.source, context.fence
    if isinstance(effect, HoldSource):
        hold = HoldSnapshot(snapshot_id=source.id, share_id=share_id, number=number)
        await client.tell(source.share_id, hold, context)
        return ConfirmSourceHeld()
    release = ReleaseSnapshot(snapshot_id=source.id, share_id=share_id, number=number)
    with suppress(NotFound):  # a share that is gone holds nothing
        await client.tell(source.share_id, release, context)
    return ConfirmSourceReleased()


def paused(
    outcome: Command, settings: BackendSettings, context: RequestContext, now: datetime
) -> Command:
    """The *outcome* of a release: after any failure another attempt follows, and after a pause."""
    if not isinstance(outcome, ReportFailure):
        return outcome
    return retryable("transient", outcome.reason, settings, context, now)
