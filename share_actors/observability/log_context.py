"""What the lines of a log are about: the command, share, backend and attempt of the code that runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Fields = Mapping[str, str | int]
_ABOUT: ContextVar[Fields] = ContextVar("share_actors_log", default={})  # noqa: B039 - never changed


@contextmanager
def about(fields: Fields) -> Iterator[None]:
    """Lines that are written in this block, and in threads and tasks that it starts, are about *fields*."""
    token = _ABOUT.set(fields)
    try:
        yield
    finally:
        _ABOUT.reset(token)


def current() -> Fields:
    """What lines are about now."""
    return _ABOUT.get()


def fields_of(
    address: str,
    command_id: str | None,
    request_id: str | None = None,
    *,
    backend: str = "",
    attempt: int = 0,
    trace_id: str = "",
) -> Fields:
    """The fields of lines about a command for the entity at *address*, without those that are empty."""
    kind, colon, entity_id = address.partition(":")
    fields = {
        "command_id": command_id,
        kind if colon else "share_id": entity_id or address,
        "request_id": request_id,
        "backend": backend or (entity_id if kind == "backend" else ""),
        "attempt": attempt,
        "trace_id": trace_id,
    }
    return {name: value for name, value in fields.items() if value}
