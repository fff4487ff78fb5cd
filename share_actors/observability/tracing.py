"""Traces of commands in the form of OpenTelemetry, whose packages are imported only if traces are configured.

A trace leads from the client over manager and host to the driver and the log. Whether a command is traced,
and the id of a trace that begins here, follow from the command's id, so that all processes decide alike, and
one that goes on after a crash continues the trace.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, TypeVar
from zlib import crc32

from share_actors.errors import ConfigError, ShareActorsError
from share_actors.observability.log_context import about, current
from share_actors.redaction import scrubbed

logger = logging.getLogger(__name__)
T = TypeVar("T")
Attributes = Mapping[str, str | int]
Kind = Literal["CLIENT", "SERVER", "INTERNAL"]
INSTALL = "pip install 'share-actors[traces]'"
NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
SYSTEM, CLIENT = "share-actors", "share-actors-client"
"""The names of the services: the processes of a system, and the programs that use it."""
PREFIX = "share_actors."
"""What the names of attributes begin with."""
MAX_REASON, MAX_LENGTH = 1000, 256
"""The longest reason of a failure that is sent, and the longest traceparent that is read."""
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


class TraceSettings(Protocol):
    """The section `traces` of the configuration."""

    @property
    def endpoint(self) -> str | None:
        """Where traces are sent; None: nowhere."""

    @property
    def ratio(self) -> float:
        """The part of the commands that is traced."""


class Parent(NamedTuple):
    """The span that a command was sent from, and whether its trace is recorded."""

    trace_id: int
    span_id: int
    sampled: bool


def parent_in(traceparent: str) -> Parent | None:
    """What a *traceparent* says (W3C Trace Context); None if it is none."""
    return _parsed(traceparent) if len(traceparent) <= MAX_LENGTH else None


@lru_cache(maxsize=1024)  # each is read several times, one after the other
def _parsed(traceparent: str) -> Parent | None:
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in match.groups())
    return Parent(trace_id, span_id, bool(flags & 1)) if trace_id and span_id else None


def trace_id_in(traceparent: str) -> str:
    """The id of a trace that is recorded, as 32 hexadecimal digits; empty if it is not."""
    parent = parent_in(traceparent) if traceparent else None
    return f"{parent.trace_id:032x}" if parent is not None and parent.sampled else ""


def trace_id_of(project_id: str, command_id: str) -> int:
    """The id of a trace that begins with a command: the same in every process."""
    text = f"{project_id}\n{command_id}".encode(errors="replace")
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest()) or 1


def check_packages(endpoint: str | None) -> None:
    """Raise `ConfigError` if traces are to be sent to *endpoint* and a package for that is missing."""
    if endpoint is not None and (missing := missing_packages()):
        raise ConfigError(
            f"traces.endpoint {endpoint!r} needs {' and '.join(missing)}: {INSTALL}",
            field="traces.endpoint",
            value=endpoint,
        )


def missing_packages() -> list[str]:
    """The modules of OpenTelemetry that are needed and cannot be imported."""
    return [name for name in NEEDED if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # a package that it is in
        return False


# -- spans -----------------------------------------------------------------------------------------
class Span:
    """A part of a trace: begun when it is made, and sent once it has ended."""

    __slots__ = ("_ended", "_span", "_tracing", "name", "traceparent")

    def __init__(self, tracing: Tracing, name: str, span: Any) -> None:
        self._tracing, self._span, self._ended, self.name = tracing, span, False, name
        context = span.get_span_context()
        sampled = int(context.trace_flags) & 1
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{sampled:02x}"
        """What a command is sent with (W3C Trace Context), so that others continue its trace."""

    @property
    def trace_id(self) -> str:
        """The id of the trace; empty if it is not recorded."""
        return trace_id_in(self.traceparent)

    def child(self, name: str, attributes: Attributes = MappingProxyType({})) -> Span | None:
        """A part of this part; None if the trace is not recorded."""
        return self._tracing.begin(name, self.traceparent, attributes)

    def end(self, error: str | None = None) -> None:
        """End it, as failed if there is an *error*; ending it again does nothing."""
        if self._ended:
            return
        self._ended = True
        if error is not None:
            self._tracing.fail(self._span, scrubbed(error)[:MAX_REASON])
        self._span.end()

    @contextmanager
    def active(self) -> Iterator[None]:
        """What is begun or sent in this block, and in threads and tasks that it starts, is a part of this."""
        token = _ACTIVE.set(self)
        try:
            with about({**current(), "trace_id": self.trace_id}), self._tracing.use(self._span):
                yield
        finally:
            _ACTIVE.reset(token)


_ACTIVE: ContextVar[Span | None] = ContextVar("share_actors_span", default=None)
_CAUSE: ContextVar[str] = ContextVar("share_actors_cause", default="")


def active_span() -> Span | None:
    """The span that the running code is a part of; None if there is none."""
    return _ACTIVE.get()


def active_traceparent() -> str:
    """That of the span that the running code is a part of; empty if there is none."""
    span = _ACTIVE.get()
    return "" if span is None else span.traceparent


def cause() -> str:
    """The traceparent of the request that the running code works for; empty if that is not known."""
    return _CAUSE.get()


def caused_by(traceparent: str) -> AbstractContextManager[None]:
    """A block that works for the request with this *traceparent*; empty: that is not known."""
    return _caused_by(traceparent) if traceparent else _NO_CAUSE


@contextmanager
def _caused_by(traceparent: str) -> Iterator[None]:
    token = _CAUSE.set(traceparent)
    try:
        yield
    finally:
        _CAUSE.reset(token)


_NO_CAUSE = nullcontext()


def ended(span: Span | None, error: str | None = None) -> None:
    """End *span*, if there is one."""
    if span is not None:
        span.end(error)


def error_text(error: BaseException) -> str:
    """The code of an *error* of ours, or the name of another one, and its message."""
    if isinstance(error, ShareActorsError):
        return f"{error.code}: {error.message}"
    return f"{type(error).__name__}: {error}"


def in_a_span(call: Callable[[], T]) -> Callable[[], T]:
    """*call*, as a part of what is traced now; unchanged if nothing is."""
    outer = _ACTIVE.get()
    if outer is None:
        return call
    name = f"driver {outer.name.rpartition(' ')[2]}"

    def traced() -> T:
        span = outer.child(name)
        if span is None:
            return call()
        try:
            with span.active():
                return call()
        except BaseException as error:
            span.end(error_text(error))
            raise
        finally:
            span.end()

    return traced


# -- processes -------------------------------------------------------------------------------------
class Tracing:
    """Begins the spans of one process. *ratio*: the part of commands whose trace begins here."""

    def __init__(self, ratio: float, sender: Any) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - traces are configured

        self._api, self._sender, self._tracer = trace, sender, sender.tracer
        self._bound = round(ratio * 2**32)

    def records(self, traceparent: str, command_id: str) -> bool:
        """Whether a command is traced: its sender says so, or it says nothing and it is among those here."""
        parent = parent_in(traceparent) if traceparent else None
        if parent is not None:
            return parent.sampled
        return crc32(command_id.encode(errors="replace")) < self._bound

    def begin(
        self,
        name: str,
        traceparent: str,
        attributes: Attributes,
        project_id: str = "",
        kind: Kind = "INTERNAL",
    ) -> Span | None:
        """A span of the trace in *traceparent*, or of a new one, of the command in *attributes*.

        None if the command is not traced: see `records`.
        """
        command_id = str(attributes.get("command_id", ""))
        if not self.records(traceparent, command_id):
            return None
        context = self._context(parent_in(traceparent), project_id, command_id)
        return self._span(self._tracer, name, kind, context, attributes)

    def records_request(self, command_id: str) -> bool:
        """Whether a client's request is traced, or the trace that its program is in is told of it."""
        has_own = self._api.get_current_span() is not self._api.INVALID_SPAN
        return has_own or self.records("", command_id)

    def begin_request(self, name: str, project_id: str, attributes: Attributes) -> Span | None:
        """The span of a client's request that `records_request`: in the program's own trace if it has one."""
        provider = self._api.get_tracer_provider()
        has_own = not isinstance(provider, self._api.ProxyTracerProvider)
        if has_own or self._api.get_current_span().get_span_context().is_valid:
            tracer = provider.get_tracer("share_actors") if has_own else self._tracer
            span = self._span(tracer, name, "CLIENT", None, attributes)
            if parent_in(span.traceparent) is not None:
                return span  # also if it is not recorded: nobody else begins a trace then
        return self.begin(name, "", attributes, project_id, "CLIENT")

    def _context(self, parent: Parent | None, project_id: str, command_id: str) -> Any:
        """The context that a span begins in: that of *parent*, or none but the id of a new trace."""
        if parent is None:
            self._sender.ids.next_trace_id = trace_id_of(project_id, command_id)
            return self._sender.empty_context
        flags = self._api.TraceFlags(self._api.TraceFlags.SAMPLED)
        remote = self._api.SpanContext(parent.trace_id, parent.span_id, True, flags)
        return self._api.set_span_in_context(
            self._api.NonRecordingSpan(remote), self._sender.empty_context
        )

    def _span(
        self, tracer: Any, name: str, kind: Kind, context: Any, attributes: Attributes
    ) -> Span:
        named = {PREFIX + key: value for key, value in attributes.items() if value != ""}
        begun = tracer.start_span(name, context, self._api.SpanKind[kind], named)
        return Span(self, name, begun)

    def fail(self, span: Any, reason: str) -> None:
        """Note on a *span* of OpenTelemetry that it failed."""
        span.set_status(self._api.Status(self._api.StatusCode.ERROR, reason))

    def use(self, span: Any) -> Any:
        """A block in which *span* is the current one for libraries that trace what they do."""
        return self._api.use_span(
            span, end_on_exit=False, record_exception=False, set_status_on_exception=False
        )

    def close(self) -> None:
        """Send what has ended, and nothing more."""
        self._sender.close()


PROCESS: dict[str, str] = {}
"""The name of the actor that this process is, under `actor`, if it is one."""
_RUNNING: dict[tuple[str, float, str, str], Tracing] = {}
"""By endpoint, ratio, namespace and service."""
_STARTING = threading.Lock()


def tracing_of(settings: TraceSettings, namespace: str, service: str = SYSTEM) -> Tracing | None:
    """The traces of this process for a system; None if none are configured, or a package is missing."""
    if settings.endpoint is None:
        return None
    key = settings.endpoint, settings.ratio, namespace, service
    with _STARTING:
        if key not in _RUNNING and (missing := missing_packages()):
            level = logging.WARNING if service == SYSTEM else logging.DEBUG
            logger.log(level, "nothing is traced without %s: %s", " and ".join(missing), INSTALL)
            return None
        if key not in _RUNNING:
            _RUNNING[key] = _started(*key)
        return _RUNNING[key]


def _started(endpoint: str, ratio: float, namespace: str, service: str) -> Tracing:
    from share_actors.observability.trace_sender import Sender  # noqa: PLC0415 - it imports the packages

    if not _RUNNING:
        atexit.register(end_all)
    sender = Sender(endpoint, namespace, service, PROCESS, is_client=service == CLIENT)
    return Tracing(ratio, sender)


def end_all(namespace: str | None = None) -> None:
    """Send what has ended, and nothing more, for the systems in *namespace* (None: in any)."""
    with _STARTING:
        ending = [key for key in _RUNNING if namespace in (None, key[2])]
        closing = [_RUNNING.pop(key) for key in ending]
    for tracing in closing:
        tracing.close()
