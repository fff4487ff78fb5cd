"""What verification finds: rows of the log that are not what was recorded, named by position and share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from share_actors.events.aggregates import address_of
from share_actors.events.checkpoints.leaves import Leaf

Kind = Literal[
    "edited",
    "removed",
    "inserted",
    "reordered",
    "reassigned",
    "truncated",
    "version_gap",
    "position_gap",
    "differs",
    "not_archived",
]


class Finding(NamedTuple):
    """One place where the log is wrong; `position` is None if only the whole log is known to differ.

    `version_gap` is at the position of the event after the gap, and `version` is the missing one.
    """

    kind: Kind
    position: int | None
    stream: str | None
    version: int | None
    text: str

    @property
    def share(self) -> str | None:
        """The id of the share, or the address of another entity; None if it is not known."""
        return None if self.stream is None else address_of(self.stream) or self.stream

    def document(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {**self._asdict(), "share": self.share}


class Difference(NamedTuple):
    """A position at which the log has not the leaf that was recorded: None stands for no event."""

    found: Leaf | None
    recorded: Leaf | None

    @property
    def position(self) -> int:
        """The position of both."""
        leaf = self.recorded or self.found
        assert leaf is not None
        return leaf.position


def classify(differences: Sequence[Difference]) -> Iterator[Finding]:
    """The finding of each difference, by where else in the log its events are."""
    found = {item.found[1:] for item in differences if item.found}
    recorded = {item.recorded[1:] for item in differences if item.recorded}
    contents = {key[2:] for key in found}, {key[2:] for key in recorded}
    for item in differences:
        kept = item.recorded is not None and item.recorded[1:] in found
        known = item.found is not None and item.found[1:] in recorded
        kind = _kind(item, kept, known)
        if kind == "edited" and _is_exchanged(item, *contents):
            kind = "reordered"
        yield _finding(kind, item)


def _kind(item: Difference, kept: bool, known: bool) -> Kind:
    """*kept*: the recorded event is elsewhere in the log. *known*: the found one was recorded elsewhere."""
    if kept and known:
        return "reordered"
    if item.recorded is None or (item.found is not None and kept):
        return "reordered" if known else "inserted"
    if item.found is None or known:
        return "reordered" if kept else "removed"
    if item.found.stream != item.recorded.stream and item.found[3:] == item.recorded[3:]:
        return "reassigned"
    return "edited"


def _is_exchanged(item: Difference, found: set[Any], recorded: set[Any]) -> bool:
    """Whether an event got the content of another, which got its own."""
    assert item.found is not None
    assert item.recorded is not None
    return item.found[3:] in recorded and item.recorded[3:] in found


def _finding(kind: Kind, item: Difference) -> Finding:
    leaf = item.recorded if item.recorded is not None and kind != "inserted" else item.found
    leaf = leaf or item.recorded
    assert leaf is not None
    return Finding(kind, item.position, leaf.stream, leaf.version, _text(kind, item))


def _text(kind: Kind, item: Difference) -> str:
    was = "no event" if item.recorded is None else _name(item.recorded)
    now = "no event" if item.found is None else _name(item.found)
    if kind == "edited" and item.found and item.recorded and item.found[:3] == item.recorded[:3]:
        return f"{was}: its content is not what was recorded"
    return f"recorded was {was}; the log has {now}"


def _name(leaf: Leaf) -> str:
    return f"{leaf.topic}, version {leaf.version} of {leaf.stream}"


def truncated(leaf: Leaf, count: int) -> Finding:
    """The end of the log is missing, *count* events from *leaf* on."""
    text = f"the log ends before {_name(leaf)}; {count} recorded events are missing from here on"
    return Finding("truncated", leaf.position, leaf.stream, leaf.version, text)


def version_gap(leaf: Leaf, before: int) -> Finding:
    """*leaf* follows version *before* of its stream, and should not."""
    if leaf.version <= before:
        text = f"{_name(leaf)}, comes after version {before}"
        return Finding("reordered", leaf.position, leaf.stream, leaf.version, text)
    text = f"version {before + 1} of {leaf.stream} is missing before {_name(leaf)}"
    return Finding("version_gap", leaf.position, leaf.stream, before + 1, text)


def position_gap(before: int, leaf: Leaf) -> Finding:
    """The positions between *before* and that of *leaf* are missing, in a log that has no gaps."""
    text = f"no event is at positions {before + 1} to {leaf.position - 1}: removed, of an unknown share"
    return Finding("position_gap", before + 1, None, None, text)
