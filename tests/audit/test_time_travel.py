"""Past states of a share and of the fleet, and the changes between two times."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from share_actors.audit.reading.reader import LogReader, open_reader
from share_actors.audit.time_travel import changes, shares_at, state_at
from share_actors.config import LogSettings
from share_actors.errors import NotFound
from share_actors.events.log import Log
from share_actors.events.share.access import AccessRulesApplied
from tests.audit.conftest import HOME, NOON, Told, opened, write


def second(number: int) -> datetime:
    return NOON + timedelta(seconds=number)


def view_at(reader: LogReader, number: int) -> Any:
    return state_at(reader, "share-s1", second(number)).view


@pytest.mark.parametrize(
    ("number", "status", "size", "rules"),
    [
        (0, "creating", 1, []),
        (5, "available", 1, []),
        (11, "available", 1, ["queued"]),
        (12, "available", 1, ["active"]),
        (24, "extending", 1, ["active"]),
        (25, "available", 3, ["active"]),
        (99, "available", 3, []),
    ],
)
def test_a_share_is_shown_as_it_was(
    reader: LogReader, number: int, status: str, size: int, rules: list[str]
) -> None:
    share = view_at(reader, number)

    assert (share.status, share.size) == (status, size)
    assert [rule.state for rule in share.access_rules] == rules


def test_what_was_asked_for_and_not_done_is_told_apart_from_what_was_done(
    reader: LogReader,
) -> None:
    found = state_at(reader, "share-s1", second(22))

    assert found.changed_at == second(20)
    assert [(owed.work, owed.asked_at) for owed in found.pending] == [("extend", second(20))]


def test_a_version_names_a_state_too(reader: LogReader) -> None:
    assert state_at(reader, "share-s1", 3).view == view_at(reader, 5)


@pytest.mark.parametrize("until", [second(-1), 0, len(HOME) + 1])
def test_before_the_first_event_and_after_the_last_version_there_is_no_state(
    reader: LogReader, until: datetime | int
) -> None:
    with pytest.raises(NotFound, match="it begins at 2026-03-01T12:00:00"):
        state_at(reader, "share-s1", until)


def test_the_order_of_the_log_counts_when_a_clock_ran_backwards(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    late: list[Told] = [(9, opened("r1"), "c-allow"), (3, AccessRulesApplied(applied=("r1",)))]
    with closing(Log.open(LogSettings(), path)) as log:
        write(log, "share-s1", [*HOME[:3], *late])

    with open_reader(path) as reader:
        found = state_at(reader, "share-s1", second(4))

    assert (found.version, found.backwards) == (5, (5,))


# -- the fleet -----------------------------------------------------------------------------------
def test_the_fleet_is_listed_as_it_was(where: str) -> None:
    with open_reader(where) as reader:
        found = {n: [(s.id, s.size) for s in shares_at(reader, second(n))] for n in (-1, 0, 26, 60)}

    assert found == {-1: [], 0: [("s1", 1)], 26: [("s1", 3), ("s2", 1)], 60: [("s1", 3)]}


def test_shares_that_were_gone_are_listed_on_request(reader: LogReader) -> None:
    statuses = [share.status for share in shares_at(reader, second(60), gone=True)]

    assert statuses == ["available", "deleted"]


# -- the difference ------------------------------------------------------------------------------
def told(reader: LogReader, start: int, end: int) -> list[tuple[str, str, int, int | None]]:
    return [
        (
            change.kind,
            change.share_id,
            int((change.asked_at - NOON).total_seconds()),
            None if change.done_at is None else int((change.done_at - NOON).total_seconds()),
        )
        for change in changes(reader, second(start), second(end))
    ]


def test_all_changes_of_a_period_have_both_times(where: str) -> None:
    with open_reader(where) as reader:
        assert told(reader, -1, 99) == [
            ("created", "s1", 0, 5),
            ("opened", "s1", 10, 12),
            ("resized", "s1", 20, 25),
            ("closed", "s1", 30, 40),
            ("created", "s2", 1, 6),
            ("opened", "s2", 7, 8),
            ("deleted", "s2", 50, 60),
            ("closed", "s2", 50, 60),
        ]


def test_what_was_asked_before_and_done_within_is_a_change(reader: LogReader) -> None:
    assert told(reader, 22, 26) == [("resized", "s1", 20, 25)]


def test_what_was_asked_within_and_not_done_is_pending(reader: LogReader) -> None:
    assert told(reader, 26, 35) == [("closed", "s1", 30, None)]


def test_a_change_names_sizes_and_rules(reader: LogReader) -> None:
    details = [change.detail for change in changes(reader, second(9), second(26))]

    assert details == ["ip:10.0.0.0/8 rw", "1 -> 3 GiB"]


def test_a_period_without_events_has_no_changes(reader: LogReader) -> None:
    assert told(reader, 61, 99) == []


def test_a_rule_that_the_backend_refused_was_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    refused: list[Told] = [
        (9, opened("r1"), "c"),
        (10, AccessRulesApplied(failed={"r1": "no such user"})),
    ]
    with closing(Log.open(LogSettings(), path)) as log:
        write(log, "share-s1", [*HOME[:3], *refused])

    with open_reader(path) as reader:
        *_, change = changes(reader, second(8), second(11))

    assert (change.kind, change.failed) == ("opened", "no such user")
