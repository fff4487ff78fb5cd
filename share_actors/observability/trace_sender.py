"""Sends spans to a receiver of OTLP over HTTP, in the background, by the packages of OpenTelemetry.

Imported only if traces are configured. What cannot be sent is dropped: no command waits for it.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler

from share_actors.versions import VERSION

logger = logging.getLogger(__name__)
PERIOD_MS = 1000
"""How often ended spans are sent."""
QUEUE, BATCH = 8192, 512
"""How many ended spans are kept until they are sent, the oldest of which are dropped; and sent at a time."""
LOGGERS = (OTLPSpanExporter.__module__, "opentelemetry.sdk._shared_internal")
"""Where OpenTelemetry says what it could not send, and what it dropped."""
SYSTEM_TIMEOUT_S, CLIENT_TIMEOUT_S = 2.0, 0.7
"""How long a batch is tried; a client does not try twice, since its program may be about to end."""


class TraceIds(RandomIdGenerator):
    """Random ids, but of a trace that has its id already: `next_trace_id` of this thread.

    The numbers are its own: OpenTelemetry takes them from the module `random`, whose sequence belongs to the
    program, which may have seeded it.
    """

    def __init__(self) -> None:
        self._wanted = threading.local()
        self._random = random.Random()

    @property
    def next_trace_id(self) -> int:
        """The id of the next trace that this thread begins; 0: a random one."""
        return int(getattr(self._wanted, "trace_id", 0))

    @next_trace_id.setter
    def next_trace_id(self, trace_id: int) -> None:
        self._wanted.trace_id = trace_id

    def generate_trace_id(self) -> int:
        """The id that was set, once; else a random one."""
        wanted, self.next_trace_id = self.next_trace_id, 0
        return wanted or self._number(128)

    def generate_span_id(self) -> int:
        """A random id of 64 bits, not 0."""
        return self._number(64)

    def _number(self, bits: int) -> int:
        while (number := self._random.getrandbits(bits)) == 0:
            pass
        return number


class Sender:
    """What ended spans of one process go through: `tracer` begins them."""

    def __init__(
        self,
        endpoint: str,
        namespace: str,
        service: str,
        process: Mapping[str, str],
        *,
        is_client: bool,
    ) -> None:
        self.ids, self.empty_context = TraceIds(), Context()
        timeout_s = CLIENT_TIMEOUT_S if is_client else SYSTEM_TIMEOUT_S
        self._exporter = QuietExporter(endpoint, timeout_s, is_client=is_client)
        processor = QuietProcessor if is_client else BatchSpanProcessor
        self._processor = processor(self._exporter, QUEUE, PERIOD_MS, BATCH)
        self._resource = Resource.create(_resource(namespace, service, process))
        # a span of ours is begun only in a trace that is recorded
        self._provider = self._provider_with(ParentBased(ALWAYS_ON))
        self.tracer = self._provider.get_tracer("share_actors", VERSION)
        alone = isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        if process and alone and not is_client:  # else nobody sends what libraries here trace
            trace.set_tracer_provider(self._provider_with(ParentBased(ALWAYS_OFF)))

    def _provider_with(self, sampler: Sampler) -> TracerProvider:
        provider = TracerProvider(
            sampler=sampler,
            resource=self._resource,
            id_generator=self.ids,
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self._processor)
        return provider

    def close(self) -> None:
        """Send what has ended, up to the first batch that cannot be sent; nothing more is sent."""
        self._exporter.is_closing = True
        self._provider.shutdown()


def _resource(namespace: str, service: str, process: Mapping[str, str]) -> dict[str, str | int]:
    host, pid = socket.gethostname(), os.getpid()
    return {
        "service.name": service,
        "service.namespace": namespace,
        "service.version": VERSION,
        "service.instance.id": process.get("actor") or f"{host}:{pid}",
        "host.name": host,
        "process.pid": pid,
    }


_SENDING = threading.local()


def _not_ours(record: logging.LogRecord) -> bool:
    """Whether a line in the log of OpenTelemetry is about what another part of the program sends."""
    return not getattr(_SENDING, "ours", False)


class QuietProcessor(BatchSpanProcessor):
    """A processor that does not write to a program's standard error that it drops spans."""

    def on_end(self, span: ReadableSpan) -> None:
        """Have *span* sent, or drop the oldest one."""
        _SENDING.ours = True
        try:
            super().on_end(span)
        finally:
            _SENDING.ours = False


class QuietExporter(SpanExporter):
    """The exporter for OTLP over HTTP, which says once that its receiver fails and that it works again."""

    def __init__(self, endpoint: str, timeout_s: float, *, is_client: bool) -> None:
        self._inner: Any = OTLPSpanExporter(endpoint, timeout=timeout_s)
        self._endpoint, self._level = endpoint, logging.DEBUG if is_client else logging.WARNING
        self.is_down = self.is_closing = False
        for module in LOGGERS:
            logging.getLogger(module).addFilter(_not_ours)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send *spans*; when it is closing, not after a batch that could not be sent."""
        if self.is_down and self.is_closing:
            return SpanExportResult.FAILURE
        _SENDING.ours = True
        try:
            result: SpanExportResult = self._inner.export(spans)
        finally:
            _SENDING.ours = False
        self._note(is_down=result is not SpanExportResult.SUCCESS)
        return result

    def _note(self, *, is_down: bool) -> None:
        if is_down is self.is_down:
            return
        self.is_down = is_down
        state = "are dropped: nothing takes them" if is_down else "are sent again"
        logger.log(self._level, "traces %s at %s", state, self._endpoint)

    def shutdown(self) -> None:
        """Send nothing more."""
        self._inner.shutdown()
