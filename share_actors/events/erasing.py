"""Forgetting a data subject: refused while it is in force, safe against a crash at any step, repeatable.

The order: the marker and the end of the key, the catalog anew from the log, the event. Each step that a
crash left out is done when the request is repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from share_actors.errors import InvalidRequest, NotFound, Refused, shown
from share_actors.events.aggregates import stream_of
from share_actors.events.catalog import MAX_LIMIT, Catalog
from share_actors.events.envelope import Envelope
from share_actors.events.log import Log
from share_actors.events.log.append_order import Conflict
from share_actors.events.receipts import Receipts
from share_actors.events.subject import SubjectForgotten, stream_of_subject
from share_actors.events.subjects.keys import REFRESH_S, KeyRing, Subject
from share_actors.events.subjects.sealing import client_subject
from share_actors.values import DataSubject, Forgetting, RequestContext
from share_actors.values.addresses import normal_client

KINDS = ("user", "project", "client")
MAX_NAMED = 20
"""How many things that are in force a refusal names."""
_PAGE = 2_000


class Plan(NamedTuple):
    """What forgetting a subject means now; *pending* are those of the ids that are not wholly forgotten."""

    subject: Subject
    report: Forgetting
    pending: tuple[SubjectForgotten, ...] = ()


class Eraser:
    """Forgets the subjects of a log and of the catalog that is derived from it."""

    def __init__(
        self, log: Log, catalog: Catalog, pause: Callable[[float], object] = time.sleep
    ) -> None:
        if log.subjects is None or not log.subjects.in_use:
            raise Refused(
                "erasure is off: no personal data are sealed, so that no key can be destroyed",
                field="erasure.seal",
                next_step="Set `erasure.seal` in the configuration; it holds for events from then on.",
            )
        self._log, self._catalog, self._pause = log, catalog, pause
        self._ring: KeyRing = log.subjects.ring

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
        present = [key.id for key in self._ring.find([subject]).values()]
        if not past and not present:
            raise NotFound(
                f"there is no data subject {subject}: no event has texts that are sealed for it",
                field="subject",
                value=str(subject),
                next_step="`share-actors subject list` shows them.",
            )
        unrecorded = [i for i in past if not self._log.version(stream_of_subject(i))]
        return self._planned(subject, (*past, *present), unrecorded + present, bool(present))

    def _planned(
        self, subject: Subject, ids: tuple[str, ...], pending: list[str], is_present: bool
    ) -> Plan:
        counts = self._count(pending)
        refused = tuple(self._in_force(subject)) if is_present else ()
        events = tuple(
            SubjectForgotten(subject_id=i, kind=subject.kind, events=n, streams=len(streams))
            for i, (n, streams) in counts.items()
        )
        report = Forgetting(
            subject=str(subject),
            ids=ids,
            events=sum(event.events for event in events),
            streams=len(set().union(*(streams for _, streams in counts.values()))),
            refused=refused,
            is_done=not pending,
            was_done_before=not pending,
        )
        return Plan(subject, report, events)

    def _count(self, ids: list[str]) -> dict[str, tuple[int, set[str]]]:
        """By id, how many events have texts that are sealed for it, and their streams."""
        found: dict[str, tuple[int, set[str]]] = {i: (0, set()) for i in ids}
        position, head = 0, self._log.head() if ids else 0
        while position < head:
            rows = self._log.notifications(position, _PAGE)
            for row in rows:
                for subject_id in ids:
                    if self._log.names_subject(row, subject_id):
                        count, streams = found[subject_id]
                        found[subject_id] = count + 1, streams | {row.stream}
            position = rows[-1].position if rows else head
        return found

    # -- in force ----------------------------------------------------------------------------------
    def _in_force(self, subject: Subject) -> Iterator[str]:
        """What depends on *subject* now, as sentences that say what to do next."""
        with self._catalog.caught_up():
            if subject.kind == "project":
                yield from self._owned_by(subject.name)
            yield from self._rules_for(subject)
            yield from self._pending_of(subject)

    def _owned_by(self, project: str) -> Iterator[str]:
        for share in self._pages("shares", project_id=project):
            yield f"share {share.id} ({share.status}) is of the project: delete it first"
        for kind in ("share_network", "share_server", "share_type"):
            for entity in self._pages("entities", kind=kind):
                what = kind.replace("_", " ")
                if getattr(entity, "project_id", None) == project:
                    yield f"{what} {entity.id} is of the project: delete it first"
                elif project in getattr(entity, "projects", ()):
                    yield f"{what} {entity.id} is for the project: change it first"

    def _rules_for(self, subject: Subject) -> Iterator[str]:
        for rule in self._pages("rules"):
            if client_subject(rule.access_type, rule.access_to) == subject:
                yield (
                    f"rule {rule.id} of share {rule.share_id} ({rule.state}) is for this client:"
                    " deny it first"
                )
        for snapshot in self._pages("snapshots"):
            for rule in snapshot.access_rules:
                if client_subject(rule.access_type, rule.access_to) == subject:
                    yield (
                        f"rule {rule.id} of snapshot {snapshot.id} ({rule.state}) is for this client:"
                        " deny it first"
                    )

    def _pending_of(self, subject: Subject) -> Iterator[str]:
        for address in self._owing():
            receipts = Receipts()
            for recorded in self._log.read(stream_of(address)):
                receipts.record(recorded)
            for work in receipts.open_works():
                cause = receipts.cause(work)
                if cause is not None and subject in _who(cause):
                    yield f"{work} of {address}, which it requested, is pending: wait until it ends"

    def _owing(self) -> Iterator[str]:
        marker = None
        while addresses := self._catalog.owing(limit=MAX_LIMIT, marker=marker):
            yield from addresses
            marker = addresses[-1]

    def _pages(self, query: str, **filters: str) -> Iterator[Any]:
        marker = None
        while True:
            page = getattr(self._catalog, query)(limit=MAX_LIMIT, marker=marker, **filters)
            yield from page.items
            marker = page.next_marker
            if marker is None:
                return

    # -- doing it ----------------------------------------------------------------------------------
    def destroy(self, plan: Plan) -> None:
        """Destroy the keys of *plan*, and write the catalog anew; it may be repeated."""
        for event in plan.pending:
            self._ring.forget(event.subject_id, event.kind)
        self._pause(REFRESH_S * 1.2)  # no process of the system has the keys in memory any more
        self._catalog.rebuild()
        self._catalog.compact()

    async def record(self, plan: Plan, envelope: Envelope) -> None:
        """Record that the subjects of *plan* were forgotten, each once."""
        for event in plan.pending:
            with suppress(Conflict):  # another process did so meanwhile
                await self._log.append(stream_of_subject(event.subject_id), 0, [(envelope, event)])


def refuse_if_in_force(report: Forgetting) -> None:
    """Raise `Refused` with what is in force, if anything is; nothing was forgotten then."""
    if report.refused:
        more = len(report.refused) - MAX_NAMED
        named = "; ".join(report.refused[:MAX_NAMED]) + (f"; and {more} more" if more > 0 else "")
        raise Refused(
            f"{report.subject} is still in force, so its key was kept: {named}",
            field="subject",
            value=report.subject,
            next_step="Do what is said of each, then repeat the request.",
        )


def parsed(name: str) -> Subject:
    """The subject *name*, such as `user:alice` or `client:10.0.0.7`; raises `InvalidRequest`."""
    kind, colon, rest = name.partition(":")
    if not colon or kind not in KINDS or not rest:
        forms = ", ".join(f"{kind}:NAME" for kind in KINDS)
        text = f"subject: {shown(name)} is not one of {forms}"
        raise InvalidRequest(text, field="subject", value=name)
    if kind == "client":
        with suppress(ValueError):  # the name of a certificate
            rest = normal_client(rest)
    return Subject(kind, rest)


def envelope_of(context: RequestContext) -> Envelope:
    """The envelope of the event that the sender of *context* had a subject forgotten."""
    return Envelope(
        command_id=None,
        fingerprint=None,
        correlation_id=context.request_id or uuid4().hex,
        request_id=context.request_id,
        user_id=context.user_id,
        project_id=context.project_id,
        roles=context.roles,
        at=datetime.now(UTC),
        writer="catalog",
    )


def _who(cause: Envelope) -> tuple[Subject, ...]:
    return Subject("user", cause.user_id), Subject("project", cause.project_id)
