"""A receiver of OTLP over HTTP: it decodes the spans that arrive, and may be slow or refuse them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from share_actors.observability.tracing import SYSTEM
from tests.waiting import until


class ReceivedSpan(NamedTuple):
    """A span as it arrived; *attributes* are without the prefix, *error* is None unless it failed."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    attributes: Mapping[str, Any]
    error: str | None
    resource: Mapping[str, Any]


class Receiver:
    """What arrived at `endpoint`, in any order."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.paths: set[str] = set()
        self.asked = 0
        """How many requests have come, answered or not."""
        self.held = threading.Event()
        """Requests get no answer until it is set."""
        self.held.set()
        self._spans: list[ReceivedSpan] = []

    def take(self, path: str, body: bytes) -> None:
        self.paths.add(path)
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _values(of_resource.resource.attributes)
            for scope in of_resource.scope_spans:
                self._spans += [_span(span, resource) for span in scope.spans]

    def of(self, trace_id: str) -> list[ReceivedSpan]:
        """The spans of one trace that have arrived."""
        return [span for span in list(self._spans) if span.trace_id == trace_id]

    @property
    def names(self) -> set[str]:
        """The names of all spans that have arrived."""
        return {span.name for span in list(self._spans)}

    def about(self, command_id: str) -> list[ReceivedSpan]:
        """The spans with the id of a command that have arrived."""
        return [s for s in list(self._spans) if s.attributes.get("command_id") == command_id]

    def tree(self, command_id: str, *names: str) -> Tree:
        """The trace of a command, once its spans have exactly these *names*."""
        wanted, found = sorted(names), list[ReceivedSpan]()

        def is_whole() -> bool:
            ids = {span.trace_id for span in self.about(command_id)}
            found[:] = [span for trace_id in ids for span in self.of(trace_id)]
            return sorted(span.name for span in found) == wanted

        with suppress(TimeoutError):
            until(is_whole)
        assert sorted(span.name for span in found) == wanted
        return Tree(found)


class Tree:
    """The spans of one trace."""

    def __init__(self, spans: Sequence[ReceivedSpan]) -> None:
        assert len({span.trace_id for span in spans}) == 1
        self.spans = spans
        self.trace_id = spans[0].trace_id

    def __getitem__(self, name: str) -> ReceivedSpan:
        [span] = [span for span in self.spans if span.name == name]
        return span

    def path(self, span: ReceivedSpan) -> list[str]:
        """The names of the spans from the root of the trace to *span*."""
        by_id = {each.span_id: each for each in self.spans}
        parent = by_id.get(span.parent_id)
        return [*(self.path(parent) if parent else []), span.name]

    def process(self, span: ReceivedSpan) -> str:
        """The actor that *span* is from, or the service if it is from a client."""
        service = str(span.resource["service.name"])
        return str(span.resource["service.instance.id"]) if service == SYSTEM else service

    @property
    def paths(self) -> list[str]:
        """Every span by its path from the root."""
        return sorted("/".join(self.path(span)) for span in self.spans)


def _span(span: Any, resource: Mapping[str, Any]) -> ReceivedSpan:
    attributes = {
        name.removeprefix("share_actors."): value
        for name, value in _values(span.attributes).items()
    }
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    error = span.status.message if span.status.code == 2 else None
    return ReceivedSpan(span.name, *ids, span.kind, attributes, error, resource)


def _values(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port of the loopback address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.asked += 1
            received.held.wait()
            received.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received = Receiver(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield received
        finally:
            received.held.set()
            server.shutdown()
            thread.join()
