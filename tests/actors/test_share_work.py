"""The effects of a share as calls of a driver, and the outcome of every result or exception."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from share_actors.drivers.base import DriverError, NotSupported, RefusedByBackend, TransientError
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmDeleted,
    ConfirmResized,
    Destroy,
    Provision,
    Resize,
    ShareEffect,
)
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotCreated,
    ConfirmSnapshotDeleted,
    DropSnapshot,
    TakeSnapshot,
)
from share_actors.values import RequestContext, Share
from tests.actors.scripted_driver import PLACE, SNAPSHOT, STATE, Scripted, outcome


@pytest.mark.parametrize(
    ("effect", "method", "result", "expected"),
    [
        (
            Provision(source=None),
            "create_share",
            [PLACE],
            ConfirmCreated(export_locations=(PLACE,)),
        ),
        (
            Provision(source=SNAPSHOT),
            "create_share_from_snapshot",
            [PLACE],
            ConfirmCreated(export_locations=(PLACE,)),
        ),
        (
            Resize(doing="extend", size=5),
            "extend_share",
            None,
            ConfirmResized(doing="extend", size=5),
        ),
        (Destroy(), "delete_share", None, ConfirmDeleted()),
        (
            TakeSnapshot(snapshot_id="n1"),
            "create_snapshot",
            "at/n1",
            ConfirmSnapshotCreated(snapshot_id="n1", provider_location="at/n1"),
        ),
        (
            DropSnapshot(snapshot_id="n1"),
            "delete_snapshot",
            None,
            ConfirmSnapshotDeleted(snapshot_id="n1"),
        ),
    ],
)
def test_an_effect_is_one_call_whose_result_is_the_outcome(
    script: dict[str, Any], effect: ShareEffect, method: str, result: Any, expected: Command
) -> None:
    script[method] = result

    command, calls = outcome(effect)

    assert command == expected
    assert [called for called, _ in calls] == [method]


def test_the_driver_gets_the_extra_specs_of_the_share_and_of_the_share_of_its_snapshot(
    script: dict[str, Any],
) -> None:
    state = STATE.replace(extra_specs={"compression": "<is> True"})

    _, [(_, (share,))] = outcome(Provision(source=None), state)
    _, [(_, (snapshot,))] = outcome(TakeSnapshot(snapshot_id="n1"), state)

    assert share.extra_specs == snapshot.share.extra_specs == {"compression": "<is> True"}
    assert (snapshot.share.id, snapshot.share.snapshots) == ("s1", ())


def test_the_driver_of_a_clone_gets_the_share_of_the_snapshot(script: dict[str, Any]) -> None:
    parent = Share(id="parent", size=2, host="main", export_locations=(PLACE,))
    source = SNAPSHOT.replace(share_id="parent")
    script["create_share_from_snapshot"] = [PLACE]

    _, [(_, (_, snapshot))] = outcome(Provision(source=source), STATE.replace(parent=parent))

    assert snapshot.share == parent


def test_the_driver_is_told_when_its_attempt_is_given_up(
    script: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    remaining: list[float] = []

    def delete_share(driver: Scripted, context: RequestContext, *_: object) -> None:
        remaining.append(context.remaining_s)

    monkeypatch.setattr(Scripted, "delete_share", delete_share)

    outcome(Destroy(), timeout_s=40.0)

    assert 0 < remaining[0] <= 40.0


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (DriverError("no space left"), "failed", "no space left"),
        (DriverError(), "failed", "DriverError"),
        (RefusedByBackend("in use"), "refused", "in use"),
        (NotSupported("no such method"), "failed", "not supported: no such method"),
        (TransientError("not now"), "transient", "not now"),
        (DriverError("no file b\udcffd"), "failed", "no file b\\udcffd"),
    ],
)
def test_an_error_of_the_driver_is_a_failure_of_the_matching_kind(
    script: dict[str, Any], error: Exception, kind: str, reason: str
) -> None:
    script["create_share"] = error

    command, _ = outcome(Provision(source=None))

    assert isinstance(command, ReportFailure)
    assert (command.kind, command.reason) == (kind, reason)


@pytest.mark.parametrize(
    "result",
    [
        RuntimeError("a bug"),
        OSError("b\udcffd"),
        TimeoutError("its own"),
        SystemExit(3),
    ],
)
def test_any_other_exception_is_a_bug_recorded_with_its_traceback(
    script: dict[str, Any], result: object
) -> None:
    script["create_share"] = result

    command, _ = outcome(Provision(source=None), max_attempts=7)

    assert isinstance(command, ReportFailure)
    assert (command.kind, command.max_attempts) == ("bug", 7)
    assert command.reason.startswith("Traceback")
    assert command.reason.encode()


@pytest.mark.parametrize("result", [None, 7])
def test_a_result_of_the_wrong_type_fails_at_once_with_what_was_expected(
    script: dict[str, Any], result: object
) -> None:
    script["create_share"] = result

    command, _ = outcome(Provision(source=None), max_attempts=7)

    assert isinstance(command, ReportFailure)
    assert command.kind == "failed"
    assert command.reason == (
        f"create_share returned {result!r}: expected a list of ExportLocation(path=...), or of paths"
    )


def test_a_call_past_its_deadline_has_an_unknown_outcome(script: dict[str, Any]) -> None:
    gate = threading.Event()
    script["create_share"] = lambda share: gate.wait()

    command, _ = outcome(Provision(source=None), timeout_s=0.1)

    gate.set()
    assert isinstance(command, ReportFailure)
    assert (command.kind, command.reason) == ("unknown", "no answer within 0.1 s")


@pytest.mark.parametrize(("attempt", "pause"), [(1, 1.0), (2, 2.0), (4, 8.0), (9, 10.0)])
def test_the_pause_doubles_with_each_attempt_up_to_its_limit(
    script: dict[str, Any], attempt: int, pause: float
) -> None:
    script["create_share"] = TransientError("not now")
    before = datetime.now(UTC)

    command, _ = outcome(Provision(source=None), attempt=attempt, backoff_s=1.0, max_backoff_s=10.0)

    assert isinstance(command, ReportFailure)
    assert pause <= (command.retry_at - before).total_seconds() < pause + 5
