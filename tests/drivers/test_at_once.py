"""The same call for several objects at a time."""

from __future__ import annotations

import threading

import pytest

from share_actors.drivers import DriverError
from share_actors.drivers.at_once import for_all


def test_no_more_calls_than_allowed_are_under_way_and_all_are_made() -> None:
    together = threading.Barrier(3, timeout=60)
    lock, now, most, done = threading.Lock(), 0, 0, set[int]()

    def call(number: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait()  # three at a time, or none comes through
        with lock:
            now -= 1
            done.add(number)

    for_all(range(9), call, at_once=3)

    assert (most, done) == (3, set(range(9)))


@pytest.mark.parametrize("at_once", [1, 4])
def test_the_first_error_is_raised_after_the_last_call(at_once: int) -> None:
    called: set[int] = set()

    def call(number: int) -> None:
        called.add(number)
        if number % 2:
            raise DriverError(f"number {number}")

    with pytest.raises(DriverError, match="number 1"):
        for_all(range(6), call, at_once=at_once)
    assert called == set(range(6))
