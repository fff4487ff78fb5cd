"""What the pages make of the answers: problems, urgencies, rows, drawings and wording."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from share_actors.audit.capacity import CapacityPoint
from share_actors.audit.explanation import Explanation, Failed
from share_actors.audit.trail import Owed, Tried
from share_actors.cli.console import wording
from share_actors.cli.console.charts import HEIGHT, WIDTH, chart, nice
from share_actors.cli.console.problems import problems_of
from share_actors.cli.console.rows import PER_PAGE, timeline, tone
from share_actors.cli.console.stuck import Stuck, urgency
from share_actors.client.results import SystemStatus
from share_actors.events.attempts import AttemptFailed
from share_actors.events.share.access import AccessRulesApplied
from share_actors.events.share.messages import ShareDeleted, ShareErrored
from share_actors.values.waiting import WaitingForThread
from tests.events.share_events import NOON, Stream

UP: dict[str, Any] = {"driver": "dummy", "status": "up", "reason": None, "at": None}
NODE: dict[str, Any] = {
    "id": "n",
    "name": "host-1",
    "address": "10.0.0.1",
    "alive": True,
    "silent_s": None,
    "resources": [],
    "actors": [],
    "backends": [],
    "drained": None,
    "forgotten": None,
}
MARK = {"at": "2026-03-01T12:00:00Z", "reason": "a new disk"}


def status(manager: dict[str, Any] | None = None, **catalog: Any) -> SystemStatus:
    parts = {"namespace": "n", "manager": manager or {}, "catalog": catalog}
    return cast("SystemStatus", parts)


@pytest.mark.parametrize(
    ("manager", "severity", "what"),
    [
        ({"error": "no answer"}, "bad", "The manager does not answer"),
        ({"backends": {"b": UP | {"status": "down", "reason": "x"}}}, "bad", "Backend b is down"),
        ({"backends": {"b": UP | {"problems": ["no smbd"]}}}, "warn", "Backend b is unhealthy"),
        ({"backends": {"b": UP | {"wrong": {"pools": "x"}}}}, "warn", "reports invalid values"),
        ({"backends": {"b": UP | {"node": "m"}}}, "warn", "Backend b was moved"),
        ({"nodes": [NODE | {"alive": False}]}, "warn", "host-1 (10.0.0.1) is silent"),
        ({"nodes": [NODE | {"alive": False, "backends": ["b"]}]}, "bad", "is silent"),
        ({"nodes": [NODE | {"drained": MARK}]}, "warn", "is drained"),
        ({"nodes": [NODE | {"forgotten": MARK}]}, "warn", "was forgotten"),
        (
            {"nodes": [NODE | {"forgotten": MARK, "alive": False, "backends": ["b"]}]},
            "bad",
            "was forgotten",
        ),
        ({"actors": [{"actor": "a", "alive": False, "shares": 2}]}, "warn", "a does not answer"),
        (
            {"actors": [{"actor": "a", "alive": True, "shares": 2, "hung": 3}]},
            "warn",
            "hung driver calls",
        ),
        (
            {"actors": [{"actor": "a", "alive": True, "shares": 0, "outdated": "share.new"}]},
            "bad",
            "a is outdated",
        ),
        (
            {
                "actors": [
                    {"actor": "a", "alive": True, "shares": 1, "waiting_for_thread": {"b": 4}}
                ]
            },
            "warn",
            "Backend b has all its driver threads in use",
        ),
        ({"broken": {"s1": "no key"}}, "bad", "Share s1 has pending work"),
        ({"metrics": {"url": None, "error": "in use"}}, "warn", "Metrics are not served"),
    ],
)
def test_what_is_wrong_is_a_problem(manager: dict[str, Any], severity: str, what: str) -> None:
    [problem] = problems_of(status(manager))

    assert problem.severity == severity
    assert what in problem.what


def test_a_catalog_in_trouble_is_a_problem_and_the_worst_comes_first() -> None:
    parked = {"stream": "share-s1", "version": 7, "position": 9, "error": "x", "last_version": 8}
    behind: dict[str, Any] = {"applied": 1, "events": 9, "seconds_left": 4.0, "parked": [parked]}

    assert [p.severity for p in problems_of(status(**behind))] == ["bad", "warn"]
    assert "share-actors catalog unpark share-s1" in problems_of(status(**behind))[0].command
    assert problems_of(status(error="killed"))[0].why == "killed"


def test_a_system_that_is_well_has_no_problem() -> None:
    well = {"backends": {"b": UP}, "nodes": [NODE, NODE | {"forgotten": MARK, "alive": False}]}

    assert problems_of(status(well, seconds_left=None, parked=[])) == []


# -- urgency ---------------------------------------------------------------------------------------
OWED = Owed(
    work="create",
    what="create it",
    asked_by="alice",
    project="demo",
    asked_at=NOON,
    command_id="c",
)


def tried(result: str, **fields: Any) -> Tried:
    deadline = NOON + timedelta(seconds=60)
    given = {"n": 2, "effect": "create", "what": "create it", "began": NOON, "deadline": deadline}
    return Tried.model_validate({**given, "result": result, **fields})


def explained(*attempts: Tried, **fields: Any) -> Explanation:
    given: dict[str, Any] = {"share_id": "s1", "name": None, "status": "creating", "since": NOON}
    given |= {"summary": "waiting to create it", "owed": (OWED,), "failed": (), "advice": ()}
    return Explanation.model_validate({**given, "attempts": attempts, **fields})


@pytest.mark.parametrize(
    ("explanation", "seconds", "expected"),
    [
        (explained(), 0, "under way"),
        (explained(tried("under way")), 59, "under way"),
        (explained(tried("under way")), 61, "overdue"),
        (explained(tried("transient")), 0, "retried"),
        (explained(tried("unknown")), 0, "retried"),
        (explained(tried("succeeded")), 0, "under way"),
        (explained(owed=()), 0, "at rest"),
        (explained(failed=(Failed(what="create it", reason="x"),)), 0, "failed"),
        (
            explained(
                waiting_for_thread=WaitingForThread(backend="b", place=1, waiting=2, threads=3)
            ),
            0,
            "in line",
        ),
    ],
)
def test_the_urgency_of_a_share_is_that_of_its_work(
    explanation: Explanation, seconds: int, expected: str
) -> None:
    assert urgency(explanation, NOON + timedelta(seconds=seconds)) == expected


def test_the_reason_is_what_the_backend_said_last() -> None:
    traceback = "Traceback (most recent call last):\n  ...\nOSError: disk is full\n"

    assert (
        Stuck("retried", explained(tried("bug", said=traceback))).reason == "OSError: disk is full"
    )
    assert Stuck("under way", explained()).reason == "waiting to create it"


# -- rows ------------------------------------------------------------------------------------------
def test_a_timeline_has_the_newest_first_and_says_where_it_goes_on() -> None:
    stream = Stream()
    history = [stream(ShareDeleted()) for _ in range(PER_PAGE + 1)]
    first = timeline(history)
    second = timeline(history, before=first.older)

    assert [row.version for row in first.rows] == list(range(PER_PAGE + 1, 1, -1))
    assert (first.total, first.older) == (PER_PAGE + 1, 2)
    assert ([row.version for row in second.rows], second.older) == ([1], None)
    assert first.rows[0].share_id == "s1"


def test_bad_news_are_marked() -> None:
    failed = AttemptFailed(n=1, effect="create", kind="bug", reason="x", retry_at=NOON)

    assert tone(failed) == "warn"
    assert tone(AccessRulesApplied(applied=(), failed={"r": "refused"}, warnings={})) == "bad"
    assert tone(ShareErrored(reason="x", doing="create")) == "bad"
    assert tone(ShareDeleted()) == "plain"


# -- drawings --------------------------------------------------------------------------------------
def point(hour: int, total: float | None, free: float | None, *, up: bool = True) -> CapacityPoint:
    return CapacityPoint(at=NOON + timedelta(hours=hour), up=up, total=total, free=free)


def test_a_drawing_has_a_step_for_each_report_and_a_gap_while_the_backend_is_down() -> None:
    points = [point(0, 100, 50), point(2, None, None, up=False), point(3, 100, 0)]
    drawn = chart(points, None, NOON + timedelta(hours=4))

    assert drawn is not None
    assert (drawn.top, drawn.start) == (100, NOON)
    assert drawn.used == f"M0.0 {HEIGHT}V60.0H300.0V{HEIGHT}ZM450.0 {HEIGHT}V0.0H{WIDTH}V{HEIGHT}Z"
    assert drawn.total == f"M0.0 0.0H300.0M450.0 0.0H{WIDTH}"
    assert [(span.x, span.width) for span in drawn.down] == [(300, 150)]


def test_a_drawing_begins_at_the_asked_time_with_what_was_in_force_then() -> None:
    drawn = chart([point(0, 10, 5)], NOON + timedelta(hours=1), NOON + timedelta(hours=2))

    assert drawn is not None
    assert drawn.start == NOON + timedelta(hours=1)
    assert drawn.total == f"M0.0 0.0H{WIDTH}"


def test_without_a_number_there_is_no_drawing() -> None:
    assert chart([], None, NOON) is None
    assert chart([point(0, None, None)], None, NOON + timedelta(hours=1)) is None


@pytest.mark.parametrize(
    ("number", "edge"), [(0, 1), (0.3, 0.5), (1, 1), (11, 20), (21, 25), (300, 500), (7e6, 1e7)]
)
def test_the_scale_of_a_drawing_ends_at_a_round_number(number: float, edge: float) -> None:
    assert nice(number) == pytest.approx(edge)


# -- wording ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.2, "now"), (1.2, "1 s ago"), (59.9, "60 s ago"), (61, "1 min ago"), (7300, "2 h ago")],
)
def test_a_time_is_said_in_its_largest_unit(seconds: float, expected: str) -> None:
    assert wording.ago(NOON - timedelta(seconds=seconds), NOON) == expected
    assert wording.ago(datetime.now(UTC) + timedelta(days=2.5), datetime.now(UTC)) == "in 2 d"


def test_what_is_between_backquotes_is_code_and_everything_is_escaped() -> None:
    assert str(wording.prose("run `a <b>` now")) == "run <code>a &lt;b&gt;</code> now"
    assert str(wording.prose("a ` <b>")) == "a ` &lt;b&gt;"
    assert str(wording.prose("`x`")) == "<code>x</code>"


def test_control_characters_are_shown_as_escapes() -> None:
    assert wording.shown("a\x1b[2J\u202eb") == "a\\x1b[2J\\u202eb"
    assert wording.shown(None) == ""
    assert wording.share_path("a/../b?c") == "/shares/a%2F..%2Fb%3Fc"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, wording.NO_NUMBER),
        (3, "3 GiB"),
        (3.25, "3.2 GiB"),
        (1234, "1,234 GiB"),
        (20480, "20.0 TiB"),
    ],
)
def test_a_capacity_has_its_unit(number: float | None, text: str) -> None:
    assert wording.gib(number) == text
