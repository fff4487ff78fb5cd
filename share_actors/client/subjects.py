"""Data subjects: whose personal data the log holds sealed, and how they are forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from share_actors.actors.messaging.parameters import flag, word
from share_actors.client.requests import Requests
from share_actors.client.showing import Shown, caller_text
from share_actors.client.sync.background_loop import run
from share_actors.values import DataSubject, Forgetting


class AsyncSubjectCollection(Shown):
    """Users, projects and clients whose texts in the log are sealed. For the system's administrator.

    Each method raises `Refused` if erasure is off (`erasure.seal`).
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def __repr__(self) -> str:
        return f"<data subjects, as {caller_text(self._requests.context)}>"

    async def list(self) -> Sequence[DataSubject]:
        """The subjects that have a key, by kind and name, and then those that were forgotten."""
        subjects: Sequence[DataSubject] = await self._requests.catalog.call("subjects")
        return subjects

    async def forget(self, name: str, *, dry_run: bool = False) -> Forgetting:
        """Destroy the key of *name*, such as `user:alice`, `project:web` or `client:10.0.0.7`.

        Its texts in the log read as *erased* from then on; proofs still hold. It may be repeated, and has
        to be after an error. With *dry_run* nothing changes. Raises `Refused`, naming what is still in
        force, such as shares and access rules, and `NotFound` for a subject that no event names.
        """
        forgetting: Forgetting = await self._requests.catalog.call(
            "forget_subject", word("name", name), flag("dry_run", dry_run)
        )
        return forgetting


class SubjectCollection(Shown):
    """Data subjects; see `AsyncSubjectCollection`."""

    def __init__(self, subjects: AsyncSubjectCollection) -> None:
        self._subjects = subjects

    def __repr__(self) -> str:
        return repr(self._subjects)

    def list(self) -> Sequence[DataSubject]:
        """The subjects that have a key, by kind and name, and then those that were forgotten."""
        return run(self._subjects.list())

    def forget(self, name: str, *, dry_run: bool = False) -> Forgetting:
        """Destroy the key of *name*, such as `user:alice`, `project:web` or `client:10.0.0.7`."""
        return run(self._subjects.forget(name, dry_run=dry_run))
