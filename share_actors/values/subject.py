"""Data subjects whose personal data can be erased, and what forgetting one does."""

from __future__ import annotations

from share_actors.values.base import Value


class DataSubject(Value):
    """A subject with a key of its own, or one that was forgotten: then `name` is None.

    `kind` is `user`, `project` or `client`; the times are ISO 8601 in UTC.
    """

    id: str
    """A keyed hash of the name, as in the log."""
    kind: str
    name: str | None = None
    since: str | None = None
    forgotten_at: str | None = None


class Forgetting(Value):
    """What forgetting a subject did, or would do.

    `refused` says what is still in force, so that nothing was forgotten. `is_done`: the key is destroyed.
    """

    subject: str
    """As it was named: `user:alice`."""
    ids: tuple[str, ...] = ()
    """Those of its keys: several if the subject came again after it was forgotten."""
    events: int = 0
    """How many events have texts that cannot be read then."""
    streams: int = 0
    refused: tuple[str, ...] = ()
    is_done: bool = False
    was_done_before: bool = False
    """Whether it had been forgotten already, so that nothing changed."""
