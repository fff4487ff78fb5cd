"""The same call for several objects, a bounded number of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from share_actors.drivers.base import DriverError

AT_ONCE = 4
"""A daemon that starts waits about as long as it works."""
_Item = TypeVar("_Item")


def for_all(
    items: Sequence[_Item], call: Callable[[_Item], None], *, at_once: int = AT_ONCE
) -> None:
    """Make the *call* for each item, at most *at_once* at the same time, in threads if there are several.

    Raises the error of the first item whose call raised `DriverError`, after the last call has ended.
    """

    def error_of(item: _Item) -> DriverError | None:
        try:
            call(item)
        except DriverError as error:
            return error
        return None

    if min(len(items), at_once) < 2:
        errors = [error_of(item) for item in items]
    else:
        with ThreadPoolExecutor(at_once) as pool:
            contexts = [copy_context() for _ in items]  # of the attempt, and of the locks held
            errors = list(pool.map(lambda each, item: each.run(error_of, item), contexts, items))
    for error in filter(None, errors):
        raise error
