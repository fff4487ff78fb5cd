"""What depends on a data subject now, so that forgetting it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from share_actors.events.aggregates import stream_of
from share_actors.events.catalog import MAX_LIMIT, Catalog
from share_actors.events.envelope import Envelope
from share_actors.events.log import Log
from share_actors.events.receipts import Receipts
from share_actors.events.subjects.keys import Subject
from share_actors.events.subjects.sealing import client_subject


class InForce:
    """Finds what depends on a subject, in a log and its catalog."""

    def __init__(self, log: Log, catalog: Catalog) -> None:
        self._log, self._catalog = log, catalog

    def of(self, subject: Subject) -> Iterator[str]:
        """What depends on *subject* now, as sentences that say what to do next."""
        with self._catalog.caught_up():
            if subject.kind == "project":
                yield from self._owned_by(subject.name)
            yield from self._rules_for(subject)
            yield from self._pending_of(subject)

    def _owned_by(self, project: str) -> Iterator[str]:
        for share in self._pages("shares", project_id=project):
            yield f"share {share.id} ({share.status}) is of the project: delete it first"
        for quota in self._pages("entities", kind="quota", project_id=project):
            yield f"limits of the project are set (quota {quota.id}): unset them first"
        for kind in ("share_network", "share_server", "share_type", "snapshot_policy"):
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


def _who(cause: Envelope) -> tuple[Subject, ...]:
    return Subject("user", cause.user_id), Subject("project", cause.project_id)
