"""The release gate: the fold of every stream by the present code, compared with another version's."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from share_actors.audit.reading.reader import LogReader
from share_actors.audit.replay import reference
from share_actors.audit.replay.canonical import Form
from share_actors.audit.replay.fold import DIGEST_SIZE, Folded, changed_paths, fold_streams
from share_actors.audit.replay.reference import Reference, Stored, opened_reference
from share_actors.audit.replay.writing import first_id, id_at
from share_actors.audit.statistics import Progress, no_progress
from share_actors.errors import InvalidRequest, LogError
from share_actors.events.aggregates import AGGREGATES
from share_actors.events.log.log import Notification
from share_actors.values import Frozen

MAX_DIFFERENCES = 1000
"""How many differences are described; all are counted."""


class Difference(Frozen):
    """Where the fold of a stream parts from the reference: at its event *version*.

    `state`: the state after the event differs. `unreadable`: the present code cannot read or fold the event.
    `missing`: the log has fewer events of the stream than the reference. `initial`: the state before the
    first event differs; `stream` is a kind of entities then.
    """

    kind: Literal["state", "unreadable", "missing", "initial"]
    stream: str
    version: int = 0
    position: int | None = None
    topic: str | None = None
    at: datetime | None = None
    fields: tuple[str, ...] = ()
    """The values that differ at the end of the stream, or else those that the event changed."""
    detail: str = ""


class Checked(Frozen):
    """The result of a check; `differing_streams` counts those of which `differences` shows the first."""

    reference_version: str
    version: str
    streams: int
    events: int
    """Events that were folded and compared."""
    later_events: int
    """Events that were folded and are not in the reference, since they came later."""
    differing_streams: int
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


# -- check ---------------------------------------------------------------------------------------
def check(reader: LogReader, path: Path, version: str, progress: Progress = no_progress) -> Checked:
    """Fold every stream and compare it with the reference at *path*, event by event.

    *version* is that of share_actors. Raises `InvalidRequest` if the file is no reference of this log, or
    a newer version wrote it.
    """
    with opened_reference(path) as expected:
        _check_same_log(reader, expected, path, version)
        form = Form(expected.meta.fields)
        comparison = _Comparison(reader, expected, form)
        comparison.compare_initial_states()
        for folded in fold_streams(reader, form, progress):
            comparison.compare(folded)
        comparison.find_missing_streams()
    return Checked(
        reference_version=expected.meta.version,
        version=version,
        streams=comparison.streams,
        events=comparison.events,
        later_events=comparison.later_events,
        differing_streams=comparison.differing,
        differences=tuple(comparison.found),
    )


def _check_same_log(reader: LogReader, expected: Reference, path: Path, version: str) -> None:
    meta = expected.meta
    if _numbers(meta.version) > _numbers(version):
        raise InvalidRequest(
            f"--check: {path} was written by share_actors {meta.version}, which is newer than this"
            f" version {version}: a reference is checked by the version that is to replace its writer",
            field="check",
            value=str(path),
        )
    try:
        same = meta.head == 0 or (
            first_id(reader) == meta.first_id and id_at(reader, meta.head) == meta.head_id
        )
    except LogError:
        return  # an event that cannot be read is reported as a difference
    if not same:
        raise InvalidRequest(
            f"--check: {path} is the reference of another log than {reader.where}, or of a longer copy"
            f" of it: the events at positions 1 and {meta.head} are not those of the reference",
            field="check",
            value=str(path),
        )


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, for comparison: `0.2.0` is (0, 2, 0)."""
    return tuple(
        int(part) for part in version.split("+", maxsplit=1)[0].split(".") if part.isdecimal()
    )


class _Comparison:
    """Counts what was compared and keeps the first differences."""

    def __init__(self, reader: LogReader, expected: Reference, form: Form) -> None:
        self._reader, self._expected, self._form = reader, expected, form
        self.streams = self.events = self.later_events = self.differing = 0
        self._seen = 0
        self.found: list[Difference] = []

    def compare_initial_states(self) -> None:
        """Compare the values that both versions have; a field of only one of them is no difference."""
        for kind, before in self._expected.meta.initial.items():
            module = AGGREGATES.get(kind)
            now = {} if module is None else self._form.initial_values(module.initial)
            for path, value in before.items():
                if now.get(path, value) != value:
                    detail = f"the initial value was {value} and is {now[path]}"
                    self._add(
                        Difference(kind="initial", stream=kind, fields=(path,), detail=detail)
                    )

    def compare(self, folded: Folded) -> None:
        """Compare the fold of one stream with that of the reference."""
        stored = self._expected.get(folded.stream)
        known = 0 if stored is None else len(stored.chain) // DIGEST_SIZE
        self.streams += 1
        self.events += min(known, folded.events)
        self.later_events += max(0, folded.events - known)
        self._seen += stored is not None
        difference = self._difference(folded, stored, known)
        if difference is not None:
            self._add(difference)

    def _difference(self, folded: Folded, stored: Stored | None, known: int) -> Difference | None:
        stream, after = folded.stream, folded.events
        if stored is not None:
            version = _first_difference(stored.chain, folded.chain)
            if version is not None:
                fields = self._fields(folded, stored, version)
                return self._at(stream, version, "state", fields)
        if folded.problem is not None:
            same_problem = stored is not None and stored.problem is not None and known == after
            return None if same_problem else self._unreadable(folded)
        if known > after:
            detail = f"the reference has {known} events of it, the log has {after}"
            return Difference(kind="missing", stream=stream, version=after + 1, detail=detail)
        return None

    def _unreadable(self, folded: Folded) -> Difference:
        version = folded.events + 1
        return self._at(folded.stream, version, "unreadable", (), folded.problem or "")

    def _at(
        self,
        stream: str,
        version: int,
        kind: Literal["state", "unreadable"],
        fields: tuple[str, ...],
        detail: str = "",
    ) -> Difference:
        row = next((r for r in self._reader.stream_rows(stream, version - 1)), None)
        if row is None:
            return Difference(kind=kind, stream=stream, version=version, detail=detail)
        return Difference(
            kind=kind,
            stream=stream,
            version=version,
            position=row.position,
            topic=row.topic,
            at=_time(self._reader, row),
            fields=fields,
            detail=detail,
        )

    def _fields(self, folded: Folded, stored: Stored, version: int) -> tuple[str, ...]:
        """The values that differ at the end, if both folds ended at one event; or what the event changed."""
        if len(stored.chain) == len(folded.chain):
            now = reference.checksums(folded)
            paths = sorted({*now, *stored.fields})
            differing = tuple(p for p in paths if now.get(p) != stored.fields.get(p))
            if differing:
                return differing
        return changed_paths(self._reader, self._form, folded.stream, version)

    def find_missing_streams(self) -> None:
        """Find the streams of the reference that the log has not."""
        if self._seen == self._expected.count():
            return
        for stream, length in self._expected.streams():
            if next(iter(self._reader.stream_rows(stream)), None) is None:
                detail = f"the reference has {length // DIGEST_SIZE} events of it, the log has none"
                self._add(Difference(kind="missing", stream=stream, version=1, detail=detail))

    def _add(self, difference: Difference) -> None:
        self.differing += 1
        if len(self.found) < MAX_DIFFERENCES:
            self.found.append(difference)


def _first_difference(expected: bytes, actual: bytes | bytearray) -> int | None:
    """The version of the first event whose digests differ, in chains of which one may be longer.

    All digests after it differ too, so it is found by bisection.
    """
    low, high = 0, min(len(expected), len(actual)) // DIGEST_SIZE
    if expected[: high * DIGEST_SIZE] == actual[: high * DIGEST_SIZE]:
        return None
    while low < high:
        middle = (low + high) // 2
        part = slice(middle * DIGEST_SIZE, (middle + 1) * DIGEST_SIZE)
        if expected[part] == actual[part]:
            low = middle + 1
        else:
            high = middle
    return low + 1


def _time(reader: LogReader, row: Notification) -> datetime | None:
    try:
        return reader.decode(row).envelope.at
    except LogError:
        return None
