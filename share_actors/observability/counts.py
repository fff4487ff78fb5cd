"""What a process counts on the path of commands: plain numbers, read only when they are collected."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from share_actors.observability.metrics import (
    ATTEMPT_SECONDS,
    ATTEMPTS,
    BUCKETS,
    COMMANDS,
    COMMIT_SECONDS,
    OLDEST_PENDING,
    OUTCOME_SECONDS,
    OUTCOMES,
    PENDING,
    REPLY_SECONDS,
    Metric,
)
from share_actors.wire import sent_as_report

Labels = tuple[str, ...]
Age = Callable[[], tuple[str, datetime] | None]
"""The backend of an entity, and since when it has work that has not ended; None if it has none any more."""


@sent_as_report
class Sample(NamedTuple):
    """One series: the values of its labels, in the order in which the metric declares them, and its value.

    That of a histogram is the number of observations by bucket, the last without a bound, and *sum*.
    """

    metric: str
    labels: Labels
    value: float
    sum: float = 0.0
    buckets: tuple[int, ...] = ()


class Timer:
    """The durations of one series: how many fell into each bucket, and their sum."""

    __slots__ = ("buckets", "sum")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Add one duration."""
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds

    def merge(self, other: Timer) -> None:
        """Add the durations of *other*."""
        self.buckets = [a + b for a, b in zip(self.buckets, other.buckets, strict=True)]
        self.sum += other.sum


class Timers(dict[Labels, Timer]):
    """Durations by labels; what was not counted yet is made at its first use."""

    def __missing__(self, labels: Labels) -> Timer:
        timer = self[labels] = Timer()
        return timer

    def counted(self, metric: Metric, actor: str) -> Iterator[Sample]:
        """How many there were of each series, as samples of the counter *metric*."""
        for labels, timer in list(self.items()):
            yield Sample(metric.name, (actor, *labels), sum(timer.buckets))

    def timed(self, metric: Metric, actor: str) -> Iterator[Sample]:
        """The histogram *metric*, which has the first of the labels."""
        kept = len(metric.labels) - 1  # beside the actor
        merged = Timers()
        for labels, timer in list(self.items()):
            merged[labels[:kept]].merge(timer)
        for labels, timer in merged.items():
            counted = tuple(timer.buckets)
            yield Sample(metric.name, (actor, *labels), sum(counted), timer.sum, counted)


class Counts:
    """The counts of one share actor since its process started."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.replies, self.outcomes = Timers(), Timers()
        """By kind of command and outcome."""
        self.attempts = Timers()
        """By backend, effect and outcome."""
        self.pending: dict[str, Age] = {}
        """By the id of each entity that may have work which has not ended."""

    def samples(self, actor: str, commits: Timer | None = None) -> list[Sample]:
        """All that was counted, as the series of *actor*; *commits* are the transactions of its log."""
        timers = (
            (self.replies, COMMANDS, REPLY_SECONDS),
            (self.outcomes, OUTCOMES, OUTCOME_SECONDS),
            (self.attempts, ATTEMPTS, ATTEMPT_SECONDS),
        )
        samples = [*self._pending(actor)]
        for counted, number, durations in timers:
            samples += [*counted.counted(number, actor), *counted.timed(durations, actor)]
        if commits is not None:
            samples += Timers({(): commits}).timed(COMMIT_SECONDS, actor)
        return samples

    def _pending(self, actor: str) -> Iterator[Sample]:
        numbers, since = dict[str, int](), dict[str, float]()
        for age in list(self.pending.values()):
            if (found := age()) is not None:
                backend, began = found
                numbers[backend] = numbers.get(backend, 0) + 1
                since[backend] = min(since.get(backend, began.timestamp()), began.timestamp())
        for backend, number in numbers.items():
            yield Sample(PENDING.name, (actor, backend), number)
            oldest_s = max(0.0, self._clock() - since[backend])
            yield Sample(OLDEST_PENDING.name, (actor, backend), oldest_s)


def gauge(metric: Metric, value: float, *labels: str) -> Sample:
    """A sample of *metric* with one value, in which each of *labels* is checked to be declared."""
    assert len(labels) == len(metric.labels), f"{metric.name} has the labels {metric.labels}"
    return Sample(metric.name, labels, value)


def gauges(metric: Metric, values: Mapping[str, float], *labels: str) -> Iterator[Sample]:
    """A sample of *metric* for each of *values*, whose key is the last label."""
    for label, value in values.items():
        yield gauge(metric, value, *labels, label)
