"""What a machine checks before it joins the cluster of a head."""

from __future__ import annotations

import io
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psutil
import pytest

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.joining import head as heads
from share_actors.actors.runtime.joining.facts import (
    ClusterFacts,
    OwnVersions,
    SystemFacts,
    check_joinable,
    own_versions,
    resources_of,
)
from share_actors.actors.runtime.joining.head import (
    Endpoint,
    examine,
    own_address,
    parse_endpoint,
    route_to,
)
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import ray_process, ray_roles
from share_actors.cli.commands.system import joining
from share_actors.cli.commands.system.down import stop
from share_actors.cli.commands.system.machines import Machines, check_serves, role_of_head
from share_actors.cli.foreground import SignalsNoted
from share_actors.cli.session import Options, Session
from share_actors.config import Config, LogSettings, RaySettings, build
from share_actors.errors import ConfigError, InvalidRequest, Refused, ShareActorsError, Unavailable
from tests.cli_home import home

__all__ = ["home"]

SYSTEM = SystemFacts(
    program="1.0", log="postgresql", backends={"tape": "tape-library", "any": None}
)
OWN = OwnVersions("2.60.0", "3.11.7", "1.0")
CLUSTER = ClusterFacts(ray="2.60.0", python="3.11.7", systems={"n": SYSTEM})


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that accepts connections and says nothing, which is not Ray."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.2", 0))
        bound.listen()
        yield bound


# -- addresses -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("10.0.0.1:7000", Endpoint("10.0.0.1", 7000)),
        ("head.example", Endpoint("head.example", 6379)),
        ("[fd00::1]:7000", Endpoint("fd00::1", 7000)),
        ("[fd00::1]", Endpoint("fd00::1", 6379)),
    ],
)
def test_a_head_is_a_host_with_the_port_of_ray_unless_another_is_given(
    text: str, endpoint: Endpoint
) -> None:
    assert parse_endpoint(text, "join") == endpoint
    assert parse_endpoint(str(endpoint), "join") == endpoint


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fd00::1", "in brackets"),
        ("10.0.0.1:ray", "its port 'ray' is not a number"),
        ("10.0.0.1:70000", "its port '70000' is not a number"),
        ("10.0.0.1:" + "9" * 5000, "is not a number from 0 to 65535"),
        ("head]:6379", "it must be HOST:PORT"),
        (":6379", "it must be HOST:PORT"),
        ("ray://10.0.0.1:10001", "in brackets"),
        ("", "it must be HOST:PORT"),
    ],
)
def test_what_is_no_host_and_port_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why) as raised:
        parse_endpoint(text, "join")

    assert (raised.value.field, raised.value.value) == ("join", text)


@pytest.mark.parametrize("text", ["0.0.0.0", "::", "127.0.0.1", "::1", "203.0.113.9", "head"])
def test_an_address_is_refused_by_which_others_cannot_reach_this_machine(text: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        own_address(text, "listen")

    assert (raised.value.field, raised.value.value) == ("listen", text)


def test_a_head_that_cannot_be_reached_is_named(listener: socket.socket) -> None:
    endpoint = Endpoint("127.0.0.2", listener.getsockname()[1])
    assert route_to(endpoint).head == endpoint
    listener.close()

    with pytest.raises(
        Unavailable, match=r"the head 127\.0\.0\.2:\d+ can't be reached: Connection refused"
    ):
        route_to(endpoint)
    with pytest.raises(Unavailable, match=r"the head nowhere\.invalid:1 can't be reached"):
        route_to(Endpoint("nowhere.invalid", 1))


def test_a_head_on_the_loopback_address_takes_no_machine() -> None:
    with pytest.raises(InvalidRequest, match="must run with `up --listen`"):
        route_to(Endpoint("127.0.0.1", 6379))


def test_an_own_address_of_another_family_than_the_heads_is_refused(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "own_address", lambda text, _: text)  # this machine may have no IPv6

    with pytest.raises(
        InvalidRequest, match=r"IPv6 address, and the head 127\.0\.0\.2 is an IPv4"
    ) as raised:
        route_to(Endpoint("127.0.0.2", listener.getsockname()[1]), "fd00::7")

    assert (raised.value.field, raised.value.value) == ("node_address", "fd00::7")


def test_a_server_that_is_not_ray_is_said_to_be_none(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "EXAMINE_TIMEOUT_S", 1.0)

    with pytest.raises(Unavailable, match=r"no Ray cluster at 127\.0\.0\.2:\d+: it did not answer"):
        examine(Endpoint("127.0.0.2", listener.getsockname()[1]), {})


# -- versions and logs ---------------------------------------------------------------------------
def test_a_machine_with_the_versions_of_the_cluster_may_join() -> None:
    check_joinable(CLUSTER, OWN)
    check_joinable(CLUSTER.replace(systems={}), OWN._replace(program="2.0"))
    own = own_versions()
    check_joinable(ClusterFacts(ray=own.ray, python=own.python), own)


@pytest.mark.parametrize(
    ("field", "own", "message"),
    [
        ("ray", OWN._replace(ray="2.59.0"), "version 2.60.0 of Ray, and this machine has 2.59.0"),
        (
            "python",
            OWN._replace(python="3.12.1"),
            "version 3.11.7 of Python, and this machine has 3.12.1",
        ),
        ("share_actors", OWN._replace(program="0.9"), "share_actors of the system 'n'"),
    ],
)
def test_another_version_is_refused_with_both_versions(
    field: str, own: OwnVersions, message: str
) -> None:
    with pytest.raises(Refused, match=message) as raised:
        check_joinable(CLUSTER, own)

    assert raised.value.field == field


def test_another_version_of_the_program_may_join_during_an_upgrade() -> None:
    check_joinable(CLUSTER, OWN._replace(program="0.9"), any_version=True)
    with pytest.raises(Refused):
        check_joinable(CLUSTER, OWN._replace(ray="2.59.0"), any_version=True)


def test_a_system_with_a_sqlite_log_takes_no_further_node() -> None:
    cluster = CLUSTER.replace(systems={"n": SYSTEM.replace(log="sqlite")})

    with pytest.raises(ConfigError, match=r"the system 'n' of this cluster has log\.kind 'sqlite'"):
        check_joinable(cluster, OWN)


def test_what_a_later_version_tells_in_addition_is_ignored() -> None:
    assert SystemFacts.told({**SYSTEM.model_dump(), "more": [1]}) == SYSTEM


# -- options -------------------------------------------------------------------------------------
def test_a_backend_stands_for_the_resource_that_it_is_pinned_to() -> None:
    assert list(resources_of(("tape",), SYSTEM.backends)) == ["tape-library"]
    with pytest.raises(ConfigError, match="backend 'disk' is not configured; there are: any, tape"):
        list(resources_of(("disk",), SYSTEM.backends))
    with pytest.raises(InvalidRequest, match="backend any is not pinned"):
        list(resources_of(("any",), SYSTEM.backends))


@pytest.mark.parametrize(
    ("machines", "address", "field"),
    [
        (Machines(join="a:1", listen="b:1"), None, "listen"),
        (Machines(join="a:1"), "b:1", "address"),
        (Machines(listen="a:1"), "b:1", "address"),
        (Machines(token_file="t"), None, "token_file"),
        (Machines(listen="a:1", node_address="10.0.0.1"), None, "node_address"),
        (Machines(any_version=True), None, "any_version"),
        (Machines(resources=("tape",)), "b:1", "resource"),
        (Machines(backends=("tape",)), "b:1", "backend"),
        (Machines(resources=("CPU",)), None, "resource"),
        (Machines(resources=("",)), None, "resource"),
        (Machines(resources=("node:10.0.0.1",)), None, "resource"),
    ],
)
def test_options_that_do_not_fit_together_are_refused_by_name(
    machines: Machines, address: str | None, field: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        machines.check(address)

    assert raised.value.field == field


def test_a_head_needs_a_log_that_several_nodes_can_write(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"log\.kind 'sqlite' works on one node only") as raised:
        role_of_head(build({"home": home}), Machines(listen="127.0.0.2:0"))

    assert raised.value.field == "log.kind"


def test_a_head_keeps_its_token_where_only_its_owner_reads_it(home: Path) -> None:
    config = build({"home": home, "log": {"kind": "postgresql"}})
    home.mkdir(exist_ok=True)
    first = role_of_head(config, Machines(listen="127.0.0.2:7000", resources=("tape",)))
    second = role_of_head(config, Machines(listen="127.0.0.2:7000"))

    assert first.token == second.token == str(home / "cluster.token")
    assert stat.S_IMODE((home / "cluster.token").stat().st_mode) == 0o600
    assert {"--node-ip-address=127.0.0.2", "--port=7000", '--resources={"tape": 1}'} <= {
        *first.options
    }


def running(**fields: object) -> SystemState:
    return SystemState.model_validate({"namespace": "n", "address": "127.0.0.2:7000", **fields})


def test_a_running_system_must_listen_where_it_is_wanted() -> None:
    check_serves(running(), Machines(listen="127.0.0.2:7000"))
    check_serves(running(), Machines(listen="127.0.0.2:0"))
    with pytest.raises(Refused, match=r"listens at 127\.0\.0\.2:7000, not at 127\.0\.0\.2:8000"):
        check_serves(running(), Machines(listen="127.0.0.2:8000"))
    with pytest.raises(
        Refused, match=r"this machine is a node of the cluster at 127\.0\.0\.2:7000"
    ):
        check_serves(running(joined=True), Machines())


# -- the token -----------------------------------------------------------------------------------
def test_a_token_is_read_from_a_file_or_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "copy").write_text("from-a-file\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("from-stdin\n"))

    assert joining.read_token(str(tmp_path / "copy")) == "from-a-file"
    assert joining.read_token("-") == "from-stdin"


@pytest.mark.parametrize("text", ["", "two words", "é", "x" * 5000])
def test_what_is_no_token_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "copy").write_text(text, encoding="utf-8")

    for file in (tmp_path / "copy", tmp_path / "absent"):
        with pytest.raises(InvalidRequest) as raised:
            joining.read_token(str(file))
        assert (raised.value.field, raised.value.value) == ("token_file", str(file))


def test_a_token_that_the_head_refuses_does_not_replace_the_kept_one(
    home: Path, tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mapping[str, str]] = []

    def refuse(_: Endpoint, environment: Mapping[str, str]) -> ClusterFacts:
        asked.append(environment)
        raise Unavailable("refused")

    monkeypatch.setattr(joining, "examine", refuse)
    home.mkdir(exist_ok=True)
    ray_roles.write_token(home, "kept")
    (tmp_path / "copy").write_text("another")
    head = f"127.0.0.2:{listener.getsockname()[1]}"

    for file in (str(tmp_path / "copy"), None):
        with pytest.raises(Unavailable, match="refused"):
            joining.join(Session(Options()), Machines(join=head, token_file=file), foreground=False)

    assert ray_roles.token_file(home).read_text() == "kept"
    assert asked[0]["RAY_AUTH_TOKEN"] == "another"
    assert asked[1]["RAY_AUTH_TOKEN_PATH"] == str(ray_roles.token_file(home))


def test_a_backend_is_asked_for_again_while_its_system_is_still_starting(
    home: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is refused for good by a wrong configuration must not give up because of this."""
    own = own_versions()
    monkeypatch.setattr(joining, "examine", lambda *_: ClusterFacts(ray=own.ray, python=own.python))
    wanted = Machines(join=f"127.0.0.2:{listener.getsockname()[1]}", backends=("tape",))

    with pytest.raises(Unavailable, match="no system runs on the cluster yet"):
        joining.join(Session(Options()), wanted, foreground=False)


def test_a_head_that_others_can_join_notices_silent_nodes_as_the_configuration_says(
    home: Path,
) -> None:
    ray = RaySettings(node_silence_s=50)
    config = Config(home=home, ray=ray, log=LogSettings(kind="postgresql"))
    home.mkdir(exist_ok=True)

    head = role_of_head(config, Machines(listen="127.0.0.2:6379"))

    assert head.variables == {
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_timeout_ms": "9000",
        "RAY_health_check_failure_threshold": "5",
    }
    assert role_of_head(config, Machines()).variables == {}


# -- the record ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        (running(), r"has a system of its own at 127\.0\.0\.2:7000 already"),
        (running(joined=True), r"has joined the cluster of 127\.0\.0\.2:7000 already"),
    ],
)
def test_a_home_that_has_another_system_or_head_joins_no_second_one(
    home: Path, listener: socket.socket, recorded: SystemState, message: str
) -> None:
    home.mkdir(exist_ok=True)
    system_state.write(home, recorded)
    wanted = Machines(join=f"127.0.0.2:{listener.getsockname()[1]}")

    with pytest.raises(Refused, match=message):
        joining.join(Session(Options()), wanted, foreground=False)
    assert system_state.read(home) == recorded


@pytest.mark.parametrize(("of_head", "already"), [("s1", True), ("s2", False)])
def test_a_node_of_a_head_that_was_replaced_is_ended_and_joins_the_new_one(
    home: Path,
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    of_head: str,
    already: bool,
) -> None:
    own, head = own_versions(), f"127.0.0.2:{listener.getsockname()[1]}"
    facts = ClusterFacts(ray=own.ray, python=own.python, session=of_head)
    monkeypatch.setattr(joining, "examine", lambda *_: facts)
    monkeypatch.setattr(ray_process, "start_ray", lambda *_: running(joined=True, pid=1))
    home.mkdir(exist_ok=True)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        created = psutil.Process(process.pid).create_time()
        recorded = running(
            joined=True, address=head, pid=process.pid, created=created, session="s1"
        )
        system_state.write(home, recorded)
        joining.join(Session(Options()), Machines(join=head), foreground=False)
        was_left_running = process.poll() is None
        process.kill()

    expected = recorded if already else running(joined=True, pid=1, session="s2")
    assert (was_left_running, system_state.read(home)) == (already, expected)


def test_a_node_that_cannot_start_leaves_no_record(
    home: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(home: Path, namespace: str, role: object) -> SystemState:
        system_state.write(home, running(joined=True))
        raise Unavailable("Ray ended at start")

    own = own_versions()
    facts = ClusterFacts(ray=own.ray, python=own.python)
    monkeypatch.setattr(joining, "examine", lambda head, environment: facts)
    monkeypatch.setattr(ray_process, "start_ray", fail)

    with pytest.raises(ShareActorsError, match="Ray ended at start"):
        joining.join(
            Session(Options()),
            Machines(join=f"127.0.0.2:{listener.getsockname()[1]}"),
            foreground=False,
        )
    assert system_state.read(home) is None


@pytest.fixture
def node(home: Path) -> SystemState:
    """The record of a node whose first process is a `sleep` that has ended."""
    home.mkdir(exist_ok=True)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        created = psutil.Process(process.pid).create_time()
        process.kill()
    state = running(joined=True, pid=process.pid, created=created)
    system_state.write(home, state)
    return state


def test_a_node_in_the_foreground_ends_with_an_error_when_its_ray_died(
    home: Path, node: SystemState
) -> None:
    noted = SimpleNamespace(signalled=threading.Event())

    with pytest.raises(
        Unavailable, match=rf"the node of .*:7000 died: process {node.pid} has ended"
    ) as raised:
        joining.stay_joined(Session(Options()), node, cast("SignalsNoted", noted))

    assert "up --join 127.0.0.2:7000" in raised.value.details["next_step"]
    assert system_state.read(home) is None


def test_down_forgets_a_node_that_had_died(
    home: Path, node: SystemState, capsys: pytest.CaptureFixture[str]
) -> None:
    stop(Session(Options()), 0.0)

    assert "had already left the cluster at 127.0.0.2:7000" in capsys.readouterr().out
    assert system_state.read(home) is None
