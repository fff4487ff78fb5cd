"""What `ShareDriver.update_access` returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

RuleUpdates = Mapping[str, str]
"""The rules that could not be applied: access id to reason. A `RuleChange` tells more."""


class RuleChange(dict[str, str]):
    """`RuleUpdates` that also names the clients whose sessions the change has ended.

    *cut_off*: a text for each of them, such as `alice at 10.0.0.7`. It is recorded with the outcome.
    """

    def __init__(self, failed: Mapping[str, str] = {}, cut_off: Iterable[str] = ()) -> None:
        super().__init__(failed)
        self.cut_off = tuple(cut_off)
