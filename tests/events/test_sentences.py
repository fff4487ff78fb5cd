"""The sentence that describes each event."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from share_actors.audit import sentences
from share_actors.audit.sentences import sentence, who
from share_actors.events.attempts import AttemptFailed
from share_actors.events.decider import Event, RequestJoined
from share_actors.events.share.access import AccessAllowed, AccessDenied, AccessRulesApplied
from share_actors.events.share.messages import (
    RetryRequested,
    ShareDeleted,
    ShareDeletionRequested,
    ShareErrored,
    ShareResized,
    ShareResizeRefused,
    ShareResizeRequested,
    ShareReverted,
    ShareRevertRefused,
    ShareRevertRequested,
)
from share_actors.events.share.snapshot.messages import (
    SnapshotCreated,
    SnapshotDeleted,
    SnapshotDeletionRefused,
    SnapshotDeletionRequested,
    SnapshotErrored,
    SnapshotRequested,
)
from share_actors.events.topics import EVENTS
from share_actors.values import ExportLocation, Snapshot
from tests.events.event_sentences import OTHER_SENTENCES
from tests.events.manage_sentences import MANAGE_SENTENCES
from tests.events.share_events import NOON, Stream, began, created, requested

at_two = datetime(2026, 3, 1, 15, 0, 2, tzinfo=timezone(timedelta(hours=3)))
crashed = AttemptFailed(
    n=2,
    effect="access",
    kind="bug",
    reason="Traceback:\n  line 1\nKeyError: 'x'\n",
    retry_at=at_two,
)
busy = crashed.replace(effect="snapshot/n/create", kind="transient", reason="busy")
alice = "alice (project demo)"

SENTENCES: list[tuple[Event, str]] = [
    (requested(), f"{alice} asked for share 'home', 1 GiB of NFS on backend local"),
    (
        requested(name=None, host="nas#fast").replace(source=Snapshot(id="n", share_id="s0")),
        f"{alice} asked for share s1, 1 GiB of NFS on backend nas, pool fast, from snapshot n",
    ),
    (began("create"), "attempt 1 to create it started"),
    (began("rule/a/deny", n=3), "attempt 3 to remove access rule a started"),
    (created(), "the backend created it; it is exported at nas:/srv/s1"),
    (created().replace(export_locations=()), "the backend created it; it is not exported"),
    (
        created().replace(
            export_locations=(
                ExportLocation(path="a:/s1"),
                ExportLocation(path="b:/s1"),
                ExportLocation(path="c:/s1", is_admin_only=True),
            )
        ),
        "the backend created it; it is exported at a:/s1 and b:/s1",
    ),
    (
        ShareErrored(doing="create", reason="no space"),
        "it could not be created and is now in error: no space",
    ),
    (
        crashed,
        "attempt 2 to apply access rules failed on a bug in the driver: KeyError: 'x';"
        " next attempt at 2026-03-01 12:00:02 UTC",
    ),
    (
        busy,
        "attempt 2 to take snapshot n did not succeed: busy;"
        " next attempt at 2026-03-01 12:00:02 UTC",
    ),
    (
        busy.replace(kind="unknown", reason=""),
        "attempt 2 to take snapshot n ended without a result: no reason given;"
        " next attempt at 2026-03-01 12:00:02 UTC",
    ),
    (ShareResizeRequested(doing="extend", size=3), f"{alice} asked to extend it to 3 GiB"),
    (ShareResized(doing="extend", size=3), "the backend extended it to 3 GiB"),
    (ShareResized(doing="shrink", size=1), "the backend shrank it to 1 GiB"),
    (ShareRevertRequested(snapshot_id="n"), f"{alice} asked to revert it to snapshot n"),
    (
        ShareReverted(snapshot_id="n", remount=True),
        "the backend reverted it to snapshot n; clients must mount it again",
    ),
    (
        ShareReverted(snapshot_id="n", remount=False),
        "the backend reverted it to snapshot n; clients go on without a new mount",
    ),
    (
        ShareRevertRefused(snapshot_id="n", reason="a lock"),
        "the backend refused to revert it to snapshot n and changed nothing: a lock",
    ),
    (
        ShareResizeRefused(doing="shrink", reason="in use"),
        "the backend refused to shrink it and changed nothing: in use",
    ),
    (
        RetryRequested(works=("extend", "rule/a/allow", "snapshot/n/delete")),
        f"{alice} asked to try again to extend it, apply access rule a and delete snapshot n",
    ),
    (
        RequestJoined(work="rule/a/allow"),
        f"{alice} also asked to apply access rule a, already in progress",
    ),
    (
        RequestJoined(work="share/s"),
        f"{alice} also asked to attach share s, already in progress",
    ),
    (RetryRequested(works=()), f"{alice} asked to try again to nothing"),
    (ShareDeletionRequested(cascade=False), f"{alice} asked to delete it"),
    (ShareDeletionRequested(cascade=True), f"{alice} asked to delete it with its snapshots"),
    (ShareDeleted(), "the backend deleted it"),
    (
        AccessAllowed(access_id="a", access_type="ip", access_to="10.0.0.0/8", access_level="ro"),
        f"{alice} asked to let ip 10.0.0.0/8 read only (access rule a)",
    ),
    (AccessDenied(access_id="a"), f"{alice} asked to remove access rule a"),
    (AccessRulesApplied(applied=("a",)), "the backend applied access rule a"),
    (
        AccessRulesApplied(applied=("a", "b"), removed=("c",), failed={"d": "no such host"}),
        "the backend applied access rules a and b, removed access rule c"
        " and could not change access rule d (no such host)",
    ),
    (
        AccessRulesApplied(removed=("c",), cut_off=("alice at 10.0.0.7", "bob at 10.0.0.8")),
        "the backend removed access rule c; it cut off alice at 10.0.0.7 and bob at 10.0.0.8",
    ),
    (AccessRulesApplied(), "the backend had no access rule to change"),
    (
        SnapshotRequested(snapshot_id="n", name="before", at=NOON),
        f"{alice} asked for snapshot 'before'",
    ),
    (SnapshotCreated(snapshot_id="n", provider_location=None), "the backend took snapshot n"),
    (SnapshotDeletionRequested(snapshot_id="n"), f"{alice} asked to delete snapshot n"),
    (SnapshotDeleted(snapshot_id="n"), "the backend deleted snapshot n"),
    (
        SnapshotErrored(snapshot_id="n", doing="delete", reason="busy"),
        "snapshot n could not be deleted and is now in error: busy",
    ),
    (
        SnapshotDeletionRefused(snapshot_id="n", reason="a clone needs it"),
        "the backend refused to delete snapshot n: a clone needs it",
    ),
    *MANAGE_SENTENCES,
    *OTHER_SENTENCES,
]


@pytest.mark.parametrize(
    ("event", "expected"), SENTENCES, ids=[type(event).__name__ for event, _ in SENTENCES]
)
def test_an_event_is_described_in_one_sentence(event: Event, expected: str) -> None:
    assert sentence(Stream()(event, "c1")) == expected


def test_every_event_type_has_a_function_that_describes_it() -> None:
    assert set(sentences._SENTENCES) == set(EVENTS.values())


def test_every_event_type_has_an_expected_sentence() -> None:
    assert {type(event) for event, _ in SENTENCES} == set(EVENTS.values())


def test_who_is_the_user_and_the_project() -> None:
    assert who(Stream()(requested(), "c1", user="bob", project="web")) == "bob (project web)"


def test_the_sentence_of_a_request_names_its_user() -> None:
    recorded = Stream()(AccessDenied(access_id="a"), "c1", user="bob")

    assert sentence(recorded).startswith("bob (project demo) asked")
