"""Short names for the requests, outcomes and states of a share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from share_actors.events import share
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.share import ShareState
from share_actors.events.share.access import AccessAllowed, AccessRulesApplied
from share_actors.events.share.messages import (
    CreateShare,
    ShareDeletionRequested,
    ShareErrored,
    ShareResizeRequested,
)
from share_actors.events.share.snapshot.messages import SnapshotCreated, SnapshotRequested
from share_actors.testing import Spec
from share_actors.values import ShareSpec, nest_spec
from tests.events.share_events import NOON, began, created, requested

begin = BeginAttempt(activation="activation-1", timeout_s=300.0)
create = CreateShare(
    share_id="s1",
    size=1,
    at=NOON,
    spec=ShareSpec(name="home", host="local", project_id="demo", user_id="alice"),
)


def create_with(**fields: Any) -> CreateShare:
    """The creation `create` with other fields."""
    flat = {**dict(create), **dict(create.spec), **fields}
    del flat["spec"]
    return CreateShare(**nest_spec(flat))


failed = ReportFailure(kind="failed", reason="no space")
refused = ReportFailure(kind="refused", reason="in use")
later = NOON + timedelta(seconds=2)
transient = ReportFailure(kind="transient", reason="busy", retry_at=later, max_attempts=2)
gave_up = ShareErrored(doing="create", reason="no space")
deleting = ShareDeletionRequested(cascade=False)
extend = ShareResizeRequested(doing="extend", size=3)
shrink = ShareResizeRequested(doing="shrink", size=1)
stuck = ShareErrored(doing="extend", reason="no space")
allowed = AccessAllowed(access_id="a", access_type="user", access_to="bob", access_level="rw")
applied = AccessRulesApplied(applied=("a",))
snapped = SnapshotRequested(snapshot_id="n", name=None, at=NOON)
taken = SnapshotCreated(snapshot_id="n", provider_location=None)

absent = Spec(share)
creating = Spec(share).given(requested(size=2), began("create"))
available = creating.given(created())


def status(state: ShareState) -> str:
    return state.share.status
