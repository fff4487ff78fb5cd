"""Snapshot policies: when snapshots of a project's shares are taken, and how many of them are kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from share_actors.values.base import Value
from share_actors.values.checks.text import PartError

HOUR_S, DAY_S, WEEK_S = 3600, 86400, 7 * 86400
MIN_EVERY_S, MAX_EVERY_S = 60, 366 * DAY_S
MAX_KEEP = 1000
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
"""Times of a schedule are counted from here, so that a week begins on Monday, at midnight in UTC."""


class SnapshotSchedule(Value):
    """One snapshot every *every_s* seconds, of which the latest *keep* are kept.

    Times are multiples of *every_s* since a Monday at midnight in UTC, plus *at_s*: with a day and 7200 it is
    two o'clock in the night.
    """

    every_s: Annotated[int, Field(strict=True, ge=MIN_EVERY_S, le=MAX_EVERY_S)]
    keep: Annotated[int, Field(strict=True, ge=1, le=MAX_KEEP)]
    at_s: Annotated[int, Field(strict=True, ge=0)] = 0

    @model_validator(mode="after")
    def _check_offset(self) -> Self:
        if self.at_s >= self.every_s:
            raise PartError("is not less than every_s", part="at_s", value=self.at_s)
        return self

    @classmethod
    def hourly(cls, keep: int) -> Self:
        """A snapshot every hour, at its beginning."""
        return cls(every_s=HOUR_S, keep=keep)

    @classmethod
    def daily(cls, keep: int, at_s: int = 0) -> Self:
        """A snapshot every day, *at_s* seconds after midnight in UTC."""
        return cls(every_s=DAY_S, keep=keep, at_s=at_s)

    @classmethod
    def weekly(cls, keep: int, at_s: int = 0) -> Self:
        """A snapshot every Monday, *at_s* seconds after midnight in UTC."""
        return cls(every_s=WEEK_S, keep=keep, at_s=at_s)

    def latest(self, now: datetime) -> datetime:
        """The last time of the schedule that is not after *now*."""
        since = (now - _MONDAY) - timedelta(seconds=self.at_s)
        passed = since // timedelta(seconds=self.every_s)
        return _MONDAY + timedelta(seconds=self.at_s + passed * self.every_s)

    def count(self, after: datetime, until: datetime) -> int:
        """How many times of the schedule are after *after* and not after *until*."""
        between = self.latest(until) - self.latest(after)
        return max(0, between // timedelta(seconds=self.every_s))

    def __str__(self) -> str:
        return f"every {_duration(self.every_s)}, keep {self.keep}{self._offset()}"

    def _offset(self) -> str:
        return f", {_duration(self.at_s)} later" if self.at_s else ""


def _duration(seconds: int) -> str:
    """*seconds* in units, such as `1h` or `1d 2h`."""
    return " ".join(_units(seconds))


def _units(seconds: int) -> Iterator[str]:
    for unit, size in (("w", WEEK_S), ("d", DAY_S), ("h", HOUR_S), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            yield f"{count}{unit}"


class PolicyRun(Value):
    """What became of the snapshots for one time of a schedule.

    *missed*: how many earlier times passed without a run, such as while no manager ran. *failed*: why shares
    got none, by share.
    """

    every_s: int
    at: datetime
    requested: int = 0
    missed: int = 0
    failed: dict[str, str] = Field(default_factory=dict)


class SnapshotPolicy(Value):
    """A named list of schedules, and the ids of the shares that they are for, all of one project."""

    id: str = ""
    name: str | None = None
    project_id: str = ""
    user_id: str = ""
    schedules: tuple[SnapshotSchedule, ...] = ()
    shares: tuple[str, ...] = ()
    created_at: datetime | None = None
    status: Literal["absent", "active", "deleted"] = "absent"
    runs: tuple[PolicyRun, ...] = ()
    """The last run of each schedule."""
    missed: int = 0
    """How many times of all schedules passed without a run, such as while no manager ran."""
    since: dict[str, datetime] = Field(default_factory=dict)
    """Up to when each schedule, by its `every_s`, is done: snapshots are due for later times only."""
