"""Forgetting a data subject, and what is done about a forgetting that a crash has ended.

The order: a mark that the subject is being forgotten; then, while no process can seal with the key, the check
that nothing is in force, the marker, and the end of the key; the catalog anew from the log; the event; the
end of the mark. A mark that is there at a start tells of a crash: without the marker, nothing was
destroyed, and the subject is kept; with it, the rest is done.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from share_actors.errors import NotFound, Refused
from share_actors.events.catalog import Catalog
from share_actors.events.envelope import Envelope
from share_actors.events.erasing.in_force import InForce
from share_actors.events.erasing.request import parsed, refuse_if_in_force
from share_actors.events.log import Log
from share_actors.events.log.append_order import Conflict
from share_actors.events.subject import SubjectForgotten, SubjectKept, stream_of_subject
from share_actors.events.subjects.keys import REFRESH_S, KeyRing, Subject
from share_actors.values import DataSubject, Forgetting

_PAGE = 2_000
Counts = dict[str, tuple[int, set[str]]]
"""By id of a subject: how many events have texts that are sealed for it, and their streams."""


class Plan(NamedTuple):
    """What forgetting a subject means now."""

    subject: Subject
    report: Forgetting
    pending: tuple[SubjectForgotten, ...] = ()
    """The events of those of its ids that are not wholly forgotten."""
    present: tuple[str, ...] = ()
    """The ids whose keys are not destroyed: one at most."""


class Interrupted(NamedTuple):
    """What crashes have left: subjects whose keys were destroyed, and those whose keys were not."""

    forgotten: tuple[SubjectForgotten, ...]
    kept: tuple[SubjectKept, ...]


class Eraser:
    """Forgets the subjects of a log and of the catalog that is derived from it."""

    def __init__(
        self, log: Log, catalog: Catalog, pause: Callable[[float], object] = time.sleep
    ) -> None:
        if log.subjects is None or not log.subjects.in_use:
            raise Refused(
                "erasure is off: no personal data are sealed, so there is no key to destroy",
                field="erasure.seal",
                next_step="Set `erasure.seal` in the configuration; it applies to later events only.",
            )
        self._log, self._catalog, self._pause = log, catalog, pause
        self._ring: KeyRing = log.subjects.ring
        self._holds = log.subjects.holds
        self._in_force = InForce(log, catalog)

    def subjects(self) -> list[DataSubject]:
        """The subjects that have a key, by kind and name, and then those that were forgotten."""
        keys = sorted(self._ring.all(), key=lambda key: key.subject)
        present = [
            DataSubject(id=k.id, kind=k.subject.kind, name=k.subject.name, since=k.since)
            for k in keys
        ]
        gone = self._ring.forgotten()
        return present + [DataSubject(id=f.id, kind=f.kind, forgotten_at=f.at) for f in gone]

    # -- before ------------------------------------------------------------------------------------
    def plan(self, name: str) -> Plan:
        """What forgetting *name*, such as `user:alice`, does; raises `NotFound` for one without a key."""
        subject = parsed(name)
        self._ring.refresh(at_once=True)
        past = self._ring.past_ids(subject)
        present = tuple(key.id for key in self._ring.find([subject]).values())
        if not past and not present:
            raise NotFound(
                f"there is no data subject {subject}: no event has texts that are sealed for it",
                field="subject",
                value=str(subject),
                next_step="`share-actors subject list` shows them.",
            )
        pending = (*(i for i in past if not self._is_recorded(i)), *present)
        report = Forgetting(
            subject=str(subject),
            ids=(*past, *present),
            events=0,
            streams=0,
            refused=tuple(self._in_force.of(subject)) if present else (),
            is_done=not pending,
            was_done_before=not pending,
        )
        counts = self._count({i: (0, set()) for i in pending}, 0)
        return _counted(Plan(subject, report, (), present), counts)

    def _is_recorded(self, subject_id: str) -> bool:
        events = self._log.read(stream_of_subject(subject_id))
        return any(isinstance(recorded.event, SubjectForgotten) for recorded in events)

    def _count(self, found: Counts, position: int) -> Counts:
        """Add the events after *position*."""
        head = self._log.head() if found else 0
        while position < head:
            rows = self._log.notifications(position, _PAGE)
            for row in rows:
                for subject_id, (count, streams) in found.items():
                    if self._log.names_subject(row, subject_id):
                        found[subject_id] = count + 1, streams | {row.stream}
            position = rows[-1].position if rows else head
        return found

    # -- doing it ----------------------------------------------------------------------------------
    def destroy(self, plan: Plan) -> None:
        """Destroy the keys of *plan*, and write the catalog anew; it may be repeated.

        Raises `Refused` for what came into force since the plan was made, and then keeps the key.
        """
        for event in plan.pending:
            if event.subject_id in plan.present:
                with self._holds.closed(event.subject_id, json.dumps({"kind": event.kind})):
                    report = plan.report.replace(refused=tuple(self._in_force.of(plan.subject)))
                    refuse_if_in_force(report)
                    self._ring.forget(event.subject_id, event.kind)
            else:
                self._ring.forget(event.subject_id, event.kind)
        self._renew_catalog()

    def _renew_catalog(self) -> None:
        self._pause(REFRESH_S * 1.2)  # no process of the system has the texts in memory any more
        self._catalog.rebuild()
        self._catalog.compact()

    async def record(self, plan: Plan, envelope: Envelope) -> None:
        """Record that the subjects of *plan* were forgotten, each once."""
        for event in plan.pending:
            await self._record(event, envelope)

    async def _record(self, event: SubjectForgotten | SubjectKept, envelope: Envelope) -> None:
        stream = stream_of_subject(event.subject_id)
        if not self._is_recorded(event.subject_id):
            with suppress(Conflict):  # another process did so meanwhile
                await self._log.append(stream, self._log.version(stream), [(envelope, event)])
        self._ring.store.unmark_closing(event.subject_id)

    # -- after a crash -----------------------------------------------------------------------------
    def interrupted(self) -> Interrupted:
        """What crashes have left half done; what another process is doing now is not counted."""
        kinds = {i: _kind(mark) for i, mark in self._ring.store.closing().items()}
        abandoned = {i: kind for i, kind in kinds.items() if self._holds.is_abandoned(i)}
        gone = [i for i in abandoned if self._ring.is_forgotten(i)]
        counts = self._count({i: (0, set()) for i in gone}, 0)
        kept = (SubjectKept(subject_id=i, kind=k) for i, k in abandoned.items() if i not in gone)
        return Interrupted(
            tuple(_event(i, abandoned[i], *counted) for i, counted in counts.items()), tuple(kept)
        )

    def finish(self, interrupted: Interrupted) -> None:
        """Destroy what is left of the keys of forgotten subjects, and write the catalog anew."""
        for event in interrupted.forgotten:
            self._ring.forget(event.subject_id, event.kind)
        if interrupted.forgotten:
            self._renew_catalog()

    async def record_interrupted(self, interrupted: Interrupted, envelope: Envelope) -> None:
        """Record which subjects are forgotten and which are kept, and remove their marks."""
        for forgotten in interrupted.forgotten:
            await self._record(forgotten, envelope)
        for kept in interrupted.kept:
            await self._record(kept, envelope)


def _counted(plan: Plan, counts: Counts) -> Plan:
    pending = tuple(_event(i, plan.subject.kind, *counted) for i, counted in counts.items())
    report = plan.report.replace(
        events=sum(event.events for event in pending),
        streams=len(set().union(*(streams for _, streams in counts.values()))),
    )
    return plan._replace(report=report, pending=pending)


def _event(subject_id: str, kind: str, events: int, streams: set[str]) -> SubjectForgotten:
    return SubjectForgotten(subject_id=subject_id, kind=kind, events=events, streams=len(streams))


def _kind(mark: str) -> str:
    """The kind of a subject in its mark; a mark that is damaged says nothing."""
    try:
        return str(json.loads(mark)["kind"])
    except (ValueError, KeyError, TypeError):
        return "subject"
