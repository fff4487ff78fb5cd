"""What a share and its snapshots use of quotas, through their lives, and what the catalog adds up."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.events.share.backend_change import ShareBackendChanged
from share_actors.events.share.failure import RetryRequested
from share_actors.events.share.forgetting import ShareForgetRequested, ShareForgotten
from share_actors.events.share.resize import ShareResizeRefused
from share_actors.events.share.snapshot.messages import (
    SnapshotCreated,
    SnapshotDeleted,
    SnapshotDeletionRequested,
    SnapshotErrored,
    SnapshotRequested,
)
from share_actors.events.uses import Account, Use, changes, charged
from tests.events.share_events import NOON, requested
from tests.events.test_share_room import (
    CREATED,
    DELETED,
    DELETING,
    EXTENDING,
    MANAGED,
    SHRINKING,
    UNMANAGED,
    failed,
    resized,
    state_after,
)

SNAPPED = (
    SnapshotRequested(snapshot_id="n", name=None, at=NOON),
    SnapshotCreated(snapshot_id="n", provider_location=None),
)
UNSNAPPED = (SnapshotDeletionRequested(snapshot_id="n"), SnapshotDeleted(snapshot_id="n"))
FORGOTTEN = (ShareForgetRequested(reason="gone"), ShareForgotten(reason="gone"))

LIVES: list[tuple[tuple[Any, ...], Use]] = [
    ((), Use()),
    ((requested(size=10),), Use(1, 10)),
    ((requested(size=10), failed("create")), Use(1, 10)),
    ((requested(size=10), failed("create"), RetryRequested(works=("create",))), Use(1, 10)),
    ((requested(size=10), failed("create"), DELETING, DELETED), Use()),
    (CREATED, Use(1, 10)),
    ((*CREATED, EXTENDING), Use(1, 30)),
    ((*CREATED, EXTENDING, resized("extend", 30)), Use(1, 30)),
    ((*CREATED, EXTENDING, ShareResizeRefused(doing="extend", reason="no")), Use(1, 10)),
    ((*CREATED, EXTENDING, failed("extend")), Use(1, 10)),
    ((*CREATED, EXTENDING, failed("extend"), RetryRequested(works=("extend",))), Use(1, 30)),
    ((*CREATED, EXTENDING, DELETING), Use(1, 30)),
    ((*CREATED, SHRINKING), Use(1, 10)),
    ((*CREATED, SHRINKING, resized("shrink", 4)), Use(1, 4)),
    ((*CREATED, DELETING), Use(1, 10)),
    ((*CREATED, DELETING, failed("delete")), Use(1, 10)),
    ((*CREATED, DELETING, DELETED), Use()),
    (MANAGED[:1], Use(1, managing=1)),
    ((MANAGED[0], failed("manage")), Use(1)),
    (MANAGED, Use(1, 7)),
    ((*CREATED, UNMANAGED[0]), Use(1, 10)),
    ((*CREATED, *UNMANAGED), Use()),
    ((*CREATED, *UNMANAGED, *MANAGED), Use(1, 7)),
    ((*CREATED, *FORGOTTEN), Use()),
    ((*CREATED, *SNAPPED), Use(1, 10, 1, 10)),
    (
        (*CREATED, *SNAPPED[:1], SnapshotErrored(snapshot_id="n", doing="create", reason="no")),
        Use(1, 10, 1, 10),
    ),
    ((*CREATED, *SNAPPED, EXTENDING, resized("extend", 30)), Use(1, 30, 1, 10)),
    ((*CREATED, *SNAPPED, UNSNAPPED[0]), Use(1, 10, 1, 10)),
    ((*CREATED, *SNAPPED, *UNSNAPPED), Use(1, 10)),
]


@pytest.mark.parametrize(("events", "use"), LIVES)
def test_what_a_share_uses_after_each_life(events: Any, use: Use) -> None:
    found = charged(state_after(*events))

    assert found is not None
    assert found.use == use


@pytest.mark.parametrize(("events", "use"), LIVES)
def test_the_changes_of_each_life_add_up_to_what_it_uses(events: Any, use: Use) -> None:
    total, state = Use(), state_after()
    for n in range(len(events)):
        after = state_after(*events[: n + 1])
        for change in changes(state, after).values():
            total = total.plus(change)
        state = after

    assert total == use


def test_what_is_managed_again_for_another_project_counts_for_that_one() -> None:
    gone = state_after(*CREATED, *UNMANAGED)
    other = MANAGED[0].replace(spec=requested(project="other").spec)
    after = state_after(*CREATED, *UNMANAGED, other)

    assert changes(gone, after)[Account("other", "alice")] == Use(1, managing=1)


def test_a_share_counts_the_same_on_a_backend_of_another_name() -> None:
    before = state_after(*CREATED)
    after = state_after(*CREATED, ShareBackendChanged(old="local", host="new"))

    assert not any(any(use) for use in changes(before, after).values())


def test_what_a_retry_would_use_again_is_told_before() -> None:
    found = charged(state_after(*CREATED, EXTENDING, failed("extend")))

    assert found is not None
    assert (found.use.gigabytes, found.after_retry) == (10, 30)
