"""Connections to PostgreSQL with a deadline for each reply, and which errors leave a commit in doubt."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, ClassVar, TypeVar

import psycopg
from eventsourcing.persistence import InterfaceError, OperationalError

from share_actors.events.log.postgres.store import STATEMENT_TIMEOUT_S

T = TypeVar("T")
TRIES = 10
PAUSE_S = 0.2
"""Between the tries to reach a server that closed its connections, or accepts none."""
GRACE_S = 10.0
"""How much later the connection is closed if there is no reply: a server that is paused ends nothing."""
_CONNECTION_LOST = ("08", "57P")
"""Classes of SQLSTATE with which a server ends a session, or accepts none."""


class NoReply(psycopg.OperationalError):
    """The server has not replied in time; what it was sent may still take effect."""


class DeadlineConnection(psycopg.Connection[Any]):
    """A connection that is closed if the server does not reply to a statement in time."""

    reply_timeout_s: ClassVar[float] = STATEMENT_TIMEOUT_S + GRACE_S

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """Run *gen* to its end; raises `NoReply` after `reply_timeout_s`."""
        try:
            return super().wait(_until(gen, self.reply_timeout_s), *args, **kwargs)
        except NoReply:
            self.pgconn.finish()
            raise


def connection_class(statement_timeout_s: float) -> type[DeadlineConnection]:
    """The class of connections to a server that ends a statement after *statement_timeout_s*."""
    reply = {"reply_timeout_s": statement_timeout_s + GRACE_S}
    return type("DeadlineConnection", (DeadlineConnection,), reply)


def _until(gen: Generator[Any, Any, T], seconds: float) -> Generator[Any, Any, T]:
    """*gen*, which psycopg resumes at least ten times a second, as far as it gets within *seconds*."""
    deadline = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            wanted = gen.send(ready)
            if time.monotonic() > deadline:
                raise NoReply(f"the server has not replied for {seconds:g} s")
    except StopIteration as end:
        result: T = end.value
        return result


def is_unanswered(error: Exception) -> bool:
    """Whether *error* of the library is no reply to a statement, which then may have taken effect.

    Otherwise the server has rejected the statement, and rolled its transaction back.
    """
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state.startswith(_CONNECTION_LOST)


def with_retries(job: Callable[[], T]) -> T:
    """The result of *job*, which is repeated if there is no connection, or the server closed it.

    An error that is the server's reply is final, as is the end of a statement at its deadline; so all
    tries together take hardly longer than one statement may.
    """
    until = time.monotonic() + STATEMENT_TIMEOUT_S
    for _ in range(TRIES - 1):
        try:
            return job()
        except (InterfaceError, OperationalError) as error:
            late = isinstance(error.__cause__, NoReply) or time.monotonic() > until
            if late or not is_unanswered(error):
                raise
            time.sleep(PAUSE_S)
    return job()
