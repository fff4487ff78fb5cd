"""Traces of commands, as a real receiver of OTLP gets them from a system in this process."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.util._once import Once

from share_actors import Config, ConfigError, NoValidHost, OperationFailed, testing
from share_actors.drivers import DriverError
from share_actors.drivers.dummy import DummyDriver
from share_actors.observability import log_context, trace_sender, tracing
from share_actors.observability.trace_sender import QuietExporter, TraceIds
from share_actors.testing import SyncInProcessSystem
from share_actors.values import ExportLocation, RequestContext, Share
from tests.observability.receiver import ReceivedSpan, Receiver, Tree, receiver
from tests.waiting import until

CREATION = {
    "share.create",
    "share.create/route share.create",
    "share.create/route share.create/record share.create",
    "share.create/route share.create/record share.create/append",
    "share.create/route share.create/record share.create/attempt provision",
    "share.create/route share.create/record share.create/attempt provision/append",
    "share.create/route share.create/record share.create/attempt provision/driver provision",
}
"""The spans of a creation, each by its path from the root."""
NAMES = [path.rpartition("/")[2] for path in CREATION]


class TracedDriver(DummyDriver):
    """A driver that traces its creations, as a library in it would; *bad* ones fail, *held* ones wait."""

    entered, released = threading.Event(), threading.Event()

    def create_share(
        self, context: RequestContext, share: Share, share_server: object = None
    ) -> list[ExportLocation]:
        trace.get_current_span().set_attribute("share_actors.volume", str(share.name))
        logging.getLogger("vendor").warning("creating")
        if share.name == "bad":
            raise DriverError("the storage refuses")
        if share.name == "held":
            self.entered.set()
            self.released.wait()
        return list(super().create_share(context, share, share_server))


class FakeSender:
    """A sender that is only asked for its tracer."""

    tracer = None


@contextmanager
def running(
    endpoint: str | None, ratio: float = 1.0, **backend: Any
) -> Iterator[SyncInProcessSystem]:
    """A system that sends its traces to *endpoint*."""
    config = Config(
        namespace=f"traced-{time.monotonic_ns()}",
        hosting={"min_actors": 1, "max_actors": 1},
        backends={"main": {"driver": "traced", "options": {"capacity_gib": 100}, **backend}},
        traces={"endpoint": endpoint, "ratio": ratio},
    )
    with testing.sync_system(config, drivers={"traced": TracedDriver}) as system:
        yield system


@pytest.fixture(scope="module")
def received() -> Iterator[Receiver]:
    with receiver() as received, pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_sender, "PERIOD_MS", 20)  # so that tests do not wait
        yield received


@pytest.fixture(scope="module")
def system(received: Receiver) -> Iterator[SyncInProcessSystem]:
    with running(received.endpoint) as system:
        yield system


# -- one tree --------------------------------------------------------------------------------------
def test_a_creation_is_one_tree_from_the_client_to_the_driver_and_the_log(
    system: SyncInProcessSystem, received: Receiver
) -> None:
    share = system.create_share(size=1, name="good", command_id="order-1")

    tree = received.tree("order-1", *NAMES)
    assert set(tree.paths) == CREATION
    assert [span.error for span in tree.spans] == [None] * len(CREATION)
    assert received.paths == {"/v1/traces"}
    attempt, record = tree["attempt provision"], tree["record share.create"]
    assert (attempt.attributes["backend"], attempt.attributes["attempt"]) == ("main", 1)
    assert {attempt.attributes["share_id"], record.attributes["share_id"]} == {share.id}
    assert "recovered" not in attempt.attributes
    assert tree["driver provision"].attributes["volume"] == "good"
    assert tree["share.create"].resource["service.name"] == "share-actors-client"
    assert record.resource["service.name"] == "share-actors"


def test_a_command_that_goes_to_the_share_s_process_directly_is_one_tree(
    system: SyncInProcessSystem, received: Receiver
) -> None:
    share = system.create_share(size=1)

    share.set(name="other", command_id="name-1")

    tree = received.tree("name-1", "share.change", "record share.change", "append")
    assert "share.change/record share.change/append" in tree.paths


def test_what_a_share_needs_of_its_server_and_network_is_in_its_trace(received: Receiver) -> None:
    with running(received.endpoint, driver_handles_share_servers=True) as system:
        network = system.networks.create(cidr="10.0.0.0/28")
        share = system.create_share(size=1, share_network_id=network.id)

    assert share.receipt is not None
    paths = Tree(received.of(str(share.receipt.trace_id))).paths
    attempt = "share.create/route share.create/record share.create/attempt acquire_server"
    attached = f"{attempt}/route server.attach_share/record server.attach_share"
    assert f"{attempt}/route network.acquire_server/record network.acquire_server" in paths
    assert f"{attached}/attempt set_up_server/driver set_up_server" in paths


def test_a_failed_driver_call_is_an_error_in_the_trace(
    system: SyncInProcessSystem, received: Receiver
) -> None:
    with pytest.raises(OperationFailed):
        system.create_share(size=1, name="bad", command_id="bad-1")

    tree = received.tree("bad-1", *NAMES)
    failed = {span.name: span.error for span in tree.spans if span.error is not None}
    assert failed == {
        "driver provision": "DriverError: the storage refuses",
        "attempt provision": "failed: the storage refuses",
        "route share.create": "the storage refuses",
        "share.create": "the storage refuses",
    }


def test_a_command_that_the_manager_refuses_is_an_error_there(
    system: SyncInProcessSystem, received: Receiver
) -> None:
    with pytest.raises(NoValidHost):
        system.create_share(size=1000, command_id="too-big")

    tree = received.tree("too-big", "share.create", "route share.create")
    assert (tree["route share.create"].error or "").startswith("no_valid_host: no valid host")


def test_each_of_many_creations_has_a_trace_of_its_own(
    system: SyncInProcessSystem, received: Receiver
) -> None:
    ids = [f"many-{n}" for n in range(20)]

    system.create_shares([{"size": 1, "name": i, "command_id": i} for i in ids])

    trees = [received.tree(command_id, *NAMES) for command_id in ids]
    assert len({tree.trace_id for tree in trees}) == len(ids)
    assert [tree["driver provision"].attributes["volume"] for tree in trees] == ids


# -- its id ----------------------------------------------------------------------------------------
def test_the_receipt_and_the_lines_of_logs_have_the_id_of_the_trace(
    system: SyncInProcessSystem, received: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    found: dict[str, Any] = {}

    class Keep(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            found[record.getMessage()] = dict(log_context.current()).get("trace_id")
            return True

    caplog.handler.addFilter(keep := Keep())
    with caplog.at_level(logging.INFO):
        share = system.create_share(size=1, command_id="told-1")
    caplog.handler.removeFilter(keep)

    trace_id = received.tree("told-1", *NAMES).trace_id
    assert share.receipt is not None
    assert share.receipt.trace_id == system.receipt("told-1").trace_id == trace_id
    for line in ("share.create is recorded", "creating", "the request is done"):
        assert found[line] == trace_id


def test_a_repeated_command_has_the_trace_of_its_first_try(
    system: SyncInProcessSystem, received: Receiver
) -> None:
    for _ in range(2):
        system.create_share(size=1, command_id="twice-1")

    extra = ("share.create", "route share.create", "record share.create")
    tree = received.tree("twice-1", *NAMES, *extra)
    assert system.receipt("twice-1").trace_id == tree.trace_id


def test_work_that_goes_on_in_another_process_is_in_the_trace_of_its_command(
    system: SyncInProcessSystem, received: Receiver
) -> None:
    TracedDriver.released.clear()
    try:
        share = system.create_share(size=1, name="held", command_id="cut-1", wait=False)
        until(TracedDriver.entered.is_set)
        system.kill_host_of(share.id)
    finally:
        TracedDriver.released.set()
    assert share.receipt is not None
    assert system.wait(share.receipt).status == "done"

    def recovered() -> list[ReceivedSpan]:
        return [s for s in received.about("cut-1") if "recovered" in s.attributes]

    until(recovered)
    assert {span.name for span in recovered()} == {"attempt provision"}
    assert {span.trace_id for span in received.about("cut-1")} == {recovered()[0].trace_id}


# -- the caller's own trace ------------------------------------------------------------------------
def called_from(sampled: bool) -> Any:
    """A block that a span of the program's own, in trace 7, is the current one of."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return trace.use_span(NonRecordingSpan(SpanContext(7, 8, is_remote=True, trace_flags=flags)))


def test_the_trace_of_the_program_that_calls_is_continued(
    system: SyncInProcessSystem, received: Receiver
) -> None:
    with called_from(sampled=True):
        share = system.create_share(size=1, command_id="own-1")

    tree = received.tree("own-1", *NAMES)
    assert (tree.trace_id, tree["share.create"].parent_id) == (f"{7:032x}", f"{8:016x}")
    assert share.receipt is not None
    assert share.receipt.trace_id == tree.trace_id


def test_a_command_of_a_program_whose_trace_is_not_recorded_is_not_traced(
    system: SyncInProcessSystem, received: Receiver
) -> None:
    with called_from(sampled=False):
        share = system.create_share(size=1, command_id="own-2")
    system.create_share(size=1, command_id="after-own-2")

    received.tree("after-own-2", *NAMES)
    assert received.about("own-2") == []
    assert share.receipt is not None
    assert share.receipt.trace_id is None


def test_the_span_of_the_client_goes_where_the_program_sends_its_own(
    system: SyncInProcessSystem, received: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exported))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)

    with provider.get_tracer("program").start_as_current_span("order"):
        system.create_share(size=1, command_id="own-3")

    tree = received.tree("own-3", *(name for name in NAMES if name != "share.create"))
    client, order = exported.get_finished_spans()
    assert (client.name, order.name) == ("share.create", "order")
    assert tree["route share.create"].parent_id == f"{client.context.span_id:016x}"
    assert client.parent is not None
    assert client.parent.span_id == order.context.span_id
    provider.shutdown()


def test_what_a_library_traces_in_a_share_actor_is_sent_if_it_is_part_of_a_command(
    received: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setitem(tracing.PROCESS, "actor", "share-actor-9")
    settings = Config(traces={"endpoint": received.endpoint}).traces
    begun = tracing.tracing_of(settings, "libraries")
    assert begun is not None
    library = trace.get_tracer("library")

    library.start_span("outside").end()
    span = begun.begin("attempt provision", "", {"command_id": "lib-1"})
    assert span is not None
    with span.active():
        library.start_span("inside").end()
    span.end()
    tracing.end_all("libraries")

    tree = received.tree("lib-1", "attempt provision", "inside")
    assert tree.paths == ["attempt provision", "attempt provision/inside"]
    assert {tree.process(span) for span in tree.spans} == {"share-actor-9"}
    assert "outside" not in received.names


# -- which commands --------------------------------------------------------------------------------
def test_nothing_is_sent_of_a_command_that_is_not_among_the_traced_part(
    received: Receiver,
) -> None:
    with running(received.endpoint, ratio=0.0) as system:
        share = system.create_share(size=1, command_id="out-1")

    assert share.receipt is not None
    assert share.receipt.trace_id is None
    assert received.about("out-1") == []


def test_the_part_that_is_traced_is_the_same_in_every_process() -> None:
    ids = [f"order-{n}" for n in range(4000)]
    one, other = (tracing.Tracing(0.25, FakeSender()) for _ in range(2))

    chosen = [command_id for command_id in ids if one.records("", command_id)]

    assert 900 < len(chosen) < 1100
    assert chosen == [command_id for command_id in ids if other.records("", command_id)]


def test_what_the_sender_of_a_command_decided_holds_whatever_the_ratio() -> None:
    everything, nothing = (tracing.Tracing(ratio, FakeSender()) for ratio in (1.0, 0.0))

    assert not everything.records(f"00-{7:032x}-{8:016x}-00", "c")
    assert nothing.records(f"00-{7:032x}-{8:016x}-01", "c")
    assert everything.records("nonsense", "c")
    assert not nothing.records("nonsense", "c")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        f"00-{0:032x}-{8:016x}-01",
        f"00-{7:032x}-{0:016x}-01",
        f"ff-{7:032x}-{8:016x}-01",
        f"00-{7:032X}-{10:016X}-01",
        f"00-{7:031x}-{8:016x}-01",
        f"00-{7:032x}-{8:016x}-01x",
        f"01-{7:032x}-{8:016x}-01-{'x' * 300}",
        f"00-{7:032x}-{8:016x}-01\n",
    ],
)
def test_a_text_that_is_no_traceparent_says_nothing(text: str) -> None:
    assert tracing.parent_in(text) is None
    assert tracing.trace_id_in(text) == ""


def test_a_traceparent_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    text = f"01-{7:032x}-{8:016x}-03-more"

    assert tracing.parent_in(text) == (7, 8, True)


# -- a receiver that fails -------------------------------------------------------------------------
def test_no_command_waits_for_a_receiver_that_does_not_answer() -> None:
    with receiver() as hung:
        hung.held.clear()
        with running(hung.endpoint) as system:
            shares = system.create_shares([{"size": 1}] * 10)
            until(lambda: hung.asked)
            more = system.create_shares([{"size": 1}] * 10)

            assert {share.status for share in [*shares, *more]} == {"available"}  # type: ignore[union-attr]
            assert hung.about(shares[0].receipt.command_id) == []  # type: ignore[union-attr]
            hung.held.set()


def test_commands_are_done_and_one_line_is_logged_if_nothing_receives_traces(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with receiver() as ended:
        endpoint = ended.endpoint

    with running(endpoint) as system:
        assert system.create_share(size=1).status == "available"

    told = [
        r.getMessage() for r in caplog.records if r.name.startswith(("opentel", "share_actors.obs"))
    ]
    assert told == [f"traces are dropped: nothing takes them at {endpoint}/v1/traces"]


def test_a_receiver_that_is_back_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    exporter = QuietExporter("http://127.0.0.1:9/v1/traces", 0.1, is_client=False)
    caplog.set_level(logging.WARNING)

    for is_down in (False, True, True, False, False):
        exporter._note(is_down=is_down)

    assert [r.getMessage().split(":")[0] for r in caplog.records] == [
        "traces are dropped",
        "traces are sent again at http",
    ]
    exporter.shutdown()


# -- without ---------------------------------------------------------------------------------------
WITHOUT = """
import importlib.abc, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
from share_actors import Config, ConfigError, testing
from share_actors.observability.tracing import check_packages, tracing_of

with testing.sync_system() as system:
    print(system.create_share(size=1).status)
config = Config(traces={"endpoint": "http://127.0.0.1:4318"})
print(tracing_of(config.traces, "n"))
try:
    check_packages(config.traces.endpoint)
except ConfigError as error:
    print(error.field, error.message)
"""


def test_without_the_packages_everything_works_and_an_endpoint_is_refused() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=120, check=False
    )

    status, tracer, refusal = ended.stdout.splitlines()
    assert (status, tracer) == ("available", "None")
    assert refusal.startswith("traces.endpoint traces.endpoint 'http://127.0.0.1:4318/v1/traces'")
    assert "pip install 'share-actors[traces]'" in refusal


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [
        ("127.0.0.1:4318", "is not a URL such as"),
        ("ftp://collector", "is not a URL such as"),
        ("http://", "is not a URL such as"),
        ("http://collector:99999", "Port out of range"),
        ("http://collector:0", "is not a URL such as"),
        ("http://user:word@collector", "has credentials"),
        ("http://collector/v1?key=k", "has a query"),
        ("http://collector /", "a character that a URL cannot have"),
    ],
)
def test_an_endpoint_that_is_no_receiver_is_refused(endpoint: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        Config(traces={"endpoint": endpoint})

    assert refused.value.field == "traces.endpoint"
    assert "word" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("https://collector/", "https://collector/v1/traces"),
        ("http://[::1]:4318/otlp/v1/traces", "http://[::1]:4318/otlp/v1/traces"),
    ],
)
def test_an_endpoint_without_a_path_gets_that_of_traces(given: str, used: str) -> None:
    assert Config(traces={"endpoint": given}).traces.endpoint == used


def test_ids_leave_the_random_numbers_of_the_program_alone() -> None:

    before, ids = random.getstate(), TraceIds()

    spans = {ids.generate_span_id() for _ in range(100)}
    ids.next_trace_id = 7
    traces = [ids.generate_trace_id() for _ in range(3)]

    assert random.getstate() == before
    assert (len(spans), len(set(traces)), traces[0]) == (100, 3, 7)
