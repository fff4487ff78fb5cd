"""The requests of a plan: each has an id that follows from what it does, so that none is done twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from share_actors.cli.apply.plan import GONE, Step
from share_actors.client import ShareHandle, ShareSystem
from share_actors.errors import NotFound, OperationFailed

Request = Callable[..., object]


class Applier:
    """Makes the requests of the set *set_name*, and waits up to *timeout* seconds for each."""

    def __init__(self, system: ShareSystem, set_name: str, timeout: float) -> None:
        self._system, self._set_name, self._timeout = system, set_name, timeout

    def apply(self, steps: list[Step], done: Callable[[Step], bool]) -> None:
        """Do the *steps* of one share, in order; *done* is told of each, and says whether to go on.

        Raises the error of the first that is refused or fails; the later ones are not tried.
        """
        share: ShareHandle | None = None
        events = 0
        for step in steps:
            if step.action == "create":
                share = self._create(step)
            elif share is None:
                share = self._system.share(step.share_id or step.share)
                events = len(share.history())
            if step.action != "create":
                self._change(share, step, events)
            if not done(step):
                return

    def _create(self, step: Step) -> ShareHandle:
        """The share that *step* creates, or that it created in an earlier run.

        If that one is deleted or renamed by now, another is created: its request has another id, which
        follows from the id of the former share.
        """
        former = ""
        while True:
            command_id = self._id("create", step.share, step.fields, former)
            share = self._created(command_id, step.fields)
            if not _is_gone(share) and share.name == step.share:
                return share
            former = share.id

    def _created(self, command_id: str, fields: Mapping[str, Any]) -> ShareHandle:
        try:
            return self._system.create_share(**fields, command_id=command_id, timeout=self._timeout)
        except OperationFailed:
            share = self._system.share(self._system.receipt(command_id).share_id)
            if _is_gone(share):  # it had failed in an earlier run, and was deleted since
                return share
            raise

    def _change(self, share: ShareHandle, step: Step, events: int) -> None:
        """Request *step*. *events*: how many the share had before; the same change later is another one."""
        request, arguments = _request(share, step)
        command_id = self._id(step.action, share.id, step.fields, events)
        request(*arguments, **_keywords(step), command_id=command_id, timeout=self._timeout)

    def _id(self, *parts: object) -> str:
        project = self._system.context.project_id
        told = json.dumps(["apply", project, self._set_name, *parts], sort_keys=True)
        return uuid5(NAMESPACE_OID, told).hex


def _is_gone(share: ShareHandle) -> bool:
    with suppress(NotFound):
        return share.refresh().status in (*GONE, "deleting")
    return True


def _request(share: ShareHandle, step: Step) -> tuple[Request, tuple[object, ...]]:
    """The method of *share* that does *step*, and its positional arguments."""
    fields = step.fields
    match step.action:
        case "extend":
            return share.extend, (fields["size"],)
        case "allow":
            return share.allow_access, (fields["to"],)
        case "deny":
            return share.deny_access, (fields["rule"],)
        case "set":
            return share.set, ()
        case "unset":
            return share.unset, ()
        case "delete":
            return share.delete, ()
        case _:
            raise AssertionError(step.action)


_POSITIONAL = {"extend": "size", "allow": "to", "deny": "rule"}


def _keywords(step: Step) -> dict[str, Any]:
    return {k: v for k, v in step.fields.items() if k != _POSITIONAL.get(step.action)}
