"""Verification of a log: the order of its streams' versions, and its tree against a signed checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from share_actors.audit.proofs import findings
from share_actors.audit.proofs.archive_records import ArchiveRecords, Decode
from share_actors.audit.proofs.findings import Difference, Finding
from share_actors.events.checkpoints.check_bundle import BadProof, Checkpoint, leaf_hash
from share_actors.events.checkpoints.leaves import Leaf
from share_actors.events.checkpoints.merkle import CompactRange
from share_actors.events.log.rows import Row

MAX_KEPT = 200
"""Differences that are kept in memory; the others are only counted."""


class Report(NamedTuple):
    """What was verified. `findings` are ordered by position; `uncovered` events follow the checkpoint."""

    events: int
    streams: int
    covered: int
    uncovered: int
    agreeing: int
    """Events before the first difference."""
    findings: tuple[Finding, ...]
    differences: int
    """How many positions differ; only the first `MAX_KEPT` are findings."""
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        found = [finding.document() for finding in self.findings]
        return {**self._asdict(), "findings": found, "notes": list(self.notes), "ok": self.ok}


def verify(
    rows: Iterable[Row],
    checkpoint: Checkpoint | None = None,
    leaves: Iterable[Leaf] = (),
    *,
    contiguous: bool = False,
    decode: Decode | None = None,
) -> Report:
    """Verify a log, given by all its *rows* in order, in one pass.

    *leaves*: those recorded beside *checkpoint*, which tell where the log differs from it; without them only
    that it differs. *contiguous*: positions have no gaps, as in a SQLite log. *decode*: reads the records of
    archives, with which events that were removed after being archived are compared.
    """
    walk = _Walk(checkpoint, contiguous, decode)
    reference = _Reference(leaves)
    for difference in _compared(map(walk.take, rows), reference, walk):
        walk.differs(difference)
    return _report(walk, reference)


class _Reference:
    """The recorded leaves, and the root that they lead to; an unreadable one ends them."""

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        self._leaves, self.tree = leaves, CompactRange()
        self.problem: str | None = None
        self.last = 0

    def __iter__(self) -> Iterator[Leaf]:
        try:
            for leaf in self._leaves:
                self.tree.append(leaf_hash(leaf.encode()))
                self.last = leaf.position
                yield leaf
        except BadProof as error:
            self.problem = str(error)


class _Walk:
    """Takes the rows one by one: the versions of streams, the tree, and what was found."""

    def __init__(
        self, checkpoint: Checkpoint | None, contiguous: bool, decode: Decode | None
    ) -> None:
        self.checkpoint, self._contiguous = checkpoint, contiguous
        self.archives = ArchiveRecords(decode)
        self.versions: dict[str, int] = {}
        self.tree, self.position = CompactRange(), 0
        self.root: bytes | None = None
        self.found: list[Finding] = []
        self.kept: list[Difference] = []
        self.count, self.gaps = 0, 0
        self.agreeing, self._is_agreeing = 0, True
        self.cut: tuple[Leaf, int] | None = None

    def take(self, row: Row) -> Leaf:
        """Take the next row, and return its leaf."""
        leaf = Leaf.of(row)
        before = self.versions.get(leaf.stream, 0)
        if self.archives.begins_again(leaf):
            before = 0
        self.archives.take(row, leaf)
        if leaf.version != before + 1:
            self._gap(findings.version_gap(leaf, before))
        if self._contiguous and leaf.position != self.position + 1:
            self._gap(findings.position_gap(self.position, leaf))
        self.versions[leaf.stream] = max(leaf.version, before)
        self.position = leaf.position
        self.tree.append(leaf_hash(leaf.encode()))
        if self.checkpoint is not None and self.tree.size == self.checkpoint.size:
            self.root = self.tree.root()
        return leaf

    def _gap(self, finding: Finding) -> None:
        self.gaps += 1
        if self.gaps <= MAX_KEPT:
            self.found.append(finding)

    def agrees(self) -> None:
        """Count an event that is as recorded, unless an earlier one was not."""
        self.agreeing += self._is_agreeing

    def differs(self, difference: Difference) -> None:
        """Keep a difference from what was recorded."""
        self._is_agreeing = False
        if difference.recorded is not None and difference.position > self.position:
            first, count = self.cut or (difference.recorded, 0)
            self.cut = first, count + 1
            return
        self.count += 1
        if len(self.kept) < MAX_KEPT:
            self.kept.append(difference)


def _compared(rows: Iterator[Leaf], reference: _Reference, walk: _Walk) -> Iterator[Difference]:
    """The positions at which *rows* and the recorded leaves differ, up to the last recorded position."""
    leaves = iter(reference)
    found, recorded = next(rows, None), next(leaves, None)
    while recorded is not None:
        if found is not None and found.position < recorded.position:
            yield Difference(found, None)
            found = next(rows, None)
        elif found is None or found.position > recorded.position:
            yield Difference(None, recorded)
            recorded = next(leaves, None)
        else:
            if found != recorded:
                yield Difference(found, recorded)
            else:
                walk.agrees()
            found, recorded = next(rows, None), next(leaves, None)
    for _ in rows:  # the walk takes the others: they are after the checkpoint
        pass


# -- the report ----------------------------------------------------------------------------------
def _report(walk: _Walk, reference: _Reference) -> Report:
    checkpoint, size = walk.checkpoint, walk.tree.size
    is_good = checkpoint is None or (walk.root == checkpoint.root or (checkpoint.size == 0 == size))
    notes, found = [*walk.archives.notes()], [*walk.found, *walk.archives.findings()]
    if checkpoint is not None:
        problem = _problem(reference, checkpoint)
        if problem is not None:
            notes.append(problem)
        if not is_good:
            found += _differences(walk, checkpoint, problem)
    covered = checkpoint.size if checkpoint is not None and is_good else 0
    return Report(
        events=size,
        streams=len(walk.versions),
        covered=covered,
        uncovered=size - covered,
        agreeing=size if is_good else walk.agreeing,
        findings=tuple(_sorted(found)),
        differences=0 if is_good else walk.count + (walk.cut[1] if walk.cut else 0),
        notes=tuple(notes),
    )


def _problem(reference: _Reference, checkpoint: Checkpoint) -> str | None:
    """Why the recorded leaves cannot be relied on; None if they lead to the checkpoint's root."""
    if reference.problem is not None:
        return f"the leaves beside the checkpoint cannot be used: {reference.problem}"
    if reference.tree.size == 0 < checkpoint.size:
        return "no leaves are beside the checkpoint, so that a difference has no position"
    if reference.tree.root() != checkpoint.root:
        return "the leaves beside the checkpoint do not lead to its root: they were changed"
    return None


def _differences(walk: _Walk, checkpoint: Checkpoint, problem: str | None) -> Iterator[Finding]:
    if problem is not None:
        what = (
            f"it has {walk.tree.size} events and the checkpoint {checkpoint.size}"
            if walk.tree.size < checkpoint.size
            else f"its first {checkpoint.size} events do not lead to the checkpoint's root"
        )
        yield Finding("differs", None, None, None, f"the log is not the checkpoint's: {what}")
        return
    yield from findings.classify(walk.kept)
    if walk.cut is not None:
        yield findings.truncated(*walk.cut)


def _sorted(found: list[Finding]) -> Iterator[Finding]:
    """*found* by position, without gaps that another finding explains."""
    exact = [item for item in found if item.kind not in ("version_gap", "position_gap")]
    positions = {item.position for item in exact}
    events = {(item.stream, item.version) for item in exact}
    gaps = [
        item
        for item in found
        if (item.kind == "version_gap" and (item.stream, item.version) not in events)
        or (item.kind == "position_gap" and item.position not in positions)
    ]
    seen: set[tuple[Any, ...]] = set()
    for item in sorted([*exact, *gaps], key=lambda item: (item.position or 0, item in gaps)):
        if item[:4] not in seen:
            seen.add(item[:4])
            yield item
