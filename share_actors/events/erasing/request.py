"""What is asked: the subject by its name, who asks, and the refusal."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

from share_actors.errors import InvalidRequest, Refused, shown
from share_actors.events.envelope import Envelope
from share_actors.events.subjects.keys import Subject
from share_actors.values import Forgetting, RequestContext
from share_actors.values.checks.addresses import normal_client

KINDS = ("user", "project", "client")
MAX_NAMED = 20
"""How many things that are in force a refusal names."""


def refuse_if_in_force(report: Forgetting) -> None:
    """Raise `Refused` with what is in force, if anything is; nothing was forgotten then."""
    if report.refused:
        more = len(report.refused) - MAX_NAMED
        named = "; ".join(report.refused[:MAX_NAMED]) + (f"; and {more} more" if more > 0 else "")
        raise Refused(
            f"{report.subject} is still in force, so its key was kept: {named}",
            field="subject",
            value=report.subject,
            next_step="Do what is stated for each, then repeat the request.",
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
