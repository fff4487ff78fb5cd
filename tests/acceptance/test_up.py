"""`up` that is interrupted, repeated with other settings, or follows the death of a part of Ray."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import ray_session
from tests.acceptance.cli import CommandLine

pytestmark = pytest.mark.timeout(300)
RUNNING = "The manager, the catalog and the share actors are running."


@pytest.fixture
def cli() -> Iterator[CommandLine]:
    with tempfile.TemporaryDirectory(prefix="sa") as top, CommandLine(Path(top) / "home") as line:
        yield line


def left_of(state: SystemState) -> list[psutil.Process]:
    """The processes of the system that still run."""
    assert state.pid is not None
    session = ray_session.session_processes(state.pid, state.created)
    return [process for process in session if not ray_session.has_ended(process)]


# -- interrupted -----------------------------------------------------------------------------------
def ray_is_starting(cli: CommandLine, up: subprocess.Popen[str]) -> None:
    wait_for_state(cli, up, lambda state: state.pid is not None)


def ray_is_running(cli: CommandLine, up: subprocess.Popen[str]) -> None:
    wait_for_state(cli, up, lambda state: state.address is not None)


def actors_are_running(cli: CommandLine, up: subprocess.Popen[str]) -> None:
    assert up.stderr is not None
    while RUNNING not in up.stderr.readline():
        assert up.poll() is None


def wait_for_state(
    cli: CommandLine, up: subprocess.Popen[str], reached: Callable[[SystemState], bool]
) -> None:
    while not ((state := system_state.read(cli.home)) and reached(state)):
        assert up.poll() is None, up.communicate()
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("moment", "options"),
    [
        pytest.param(ray_is_starting, (), marks=pytest.mark.soak),
        (ray_is_running, ()),
        pytest.param(actors_are_running, (), marks=pytest.mark.soak),
        (ray_is_running, ("--foreground",)),
    ],
)
def test_an_interrupted_up_leaves_no_process_behind_and_says_so(
    cli: CommandLine,
    moment: Callable[[CommandLine, subprocess.Popen[str]], None],
    options: tuple[str, ...],
) -> None:
    up = cli.start("up", *options)
    moment(cli, up)
    state = system_state.read(cli.home)
    assert state is not None
    assert state.directory is not None

    up.send_signal(signal.SIGINT)
    up.send_signal(signal.SIGINT)  # an impatient user
    _, err = up.communicate(timeout=120)

    assert up.returncode == 130, err
    assert "Stopped. What `up` had started was ended again" in err
    assert left_of(state) == []
    assert not Path(state.directory).exists()
    assert system_state.read(cli.home) is None


def test_sigterm_during_up_leaves_no_process_behind(cli: CommandLine) -> None:
    up = cli.start("up", "--foreground")
    ray_is_starting(cli, up)
    state = system_state.read(cli.home)
    assert state is not None

    up.send_signal(signal.SIGTERM)
    _, err = up.communicate(timeout=120)

    assert (up.returncode, left_of(state)) == (130, []), err
    assert system_state.read(cli.home) is None


# -- repeated, and after deaths --------------------------------------------------------------------
def ray_process_named(state: SystemState, name: str) -> psutil.Process:
    return next(process for process in left_of(state) if process.name() == name)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("up", "gcs_server"),
        ("down", "raylet"),
        pytest.param("up", "raylet", marks=pytest.mark.soak),
        pytest.param("down", "gcs_server", marks=pytest.mark.soak),
    ],
)
def test_up_and_down_work_after_a_part_of_ray_died(
    cli: CommandLine, command: str, name: str
) -> None:
    cli.json("up")
    created = cli.json("share", "create", "--size", "1")
    state = system_state.read(cli.home)
    assert state is not None
    ray_process_named(state, name).kill()

    began = time.monotonic()
    result = cli("--json", command)
    print(f"{command} after {name} died: {time.monotonic() - began:.1f} s")

    assert result.code == 0, result
    if command == "down":
        cli.json("up")
    assert left_of(state) == []
    assert cli.json("share", "show", created["id"])["status"] == "available"


def test_up_with_other_settings_says_what_differs_and_what_to_do(
    cli: CommandLine, tmp_path: Path
) -> None:
    root = str(tmp_path / "root")
    changed = tmp_path / "changed.toml"
    changed.write_text(
        f'[hosting]\nmax_actors = 7\n[backends.b]\ndriver = "local"\noptions = {{ root = "{root}" }}\n'
    )
    reloadable = tmp_path / "reloadable.toml"
    reloadable.write_text('default_backend = "local"\n[backends.local]\ndriver = "dummy"\n')
    cli.json("up")

    refused = cli("--json", "--config", str(changed), "up")
    in_words = cli("--config", str(reloadable), "up")

    assert refused.code == 7
    differing = {item["key"]: item for item in refused.error["details"]["differing"]}
    assert differing["hosting.max_actors"]["wanted"] == 7
    assert differing["backends.b.options.root"] == {
        "key": "backends.b.options.root",
        "running": None,
        "wanted": root,
    }
    assert "hosting.max_actors is" in refused.error["message"]
    assert "`share-actors down`, then `share-actors up`" in refused.error["details"]["next_step"]
    assert "backends.local.driver is local, not dummy" in in_words.err
    assert "share-actors backend reload" in in_words.err
    assert cli.json("up")["already"] is True


def test_a_second_operator_on_the_same_log_is_told_who_serves_and_starts_nothing(
    cli: CommandLine, tmp_path: Path
) -> None:
    log = {"SHARE_ACTORS_LOG__PATH": str(tmp_path / "log.db")}
    cli.environment.update(log)
    cli.json("up")
    first = cli.json("share", "create", "--size", "1")

    with CommandLine(cli.home.with_name("other"), log) as second:
        refused = second("--json", "up")
        assert not (second.home / "ray.log").exists()  # Ray was not started

    assert refused.code == 12, refused
    served = f"is in use by the system in namespace 'share-actors' of home {cli.home}"
    assert served in refused.error["message"]
    assert cli.json("share", "show", first["id"])["status"] == "available"


@pytest.mark.soak
def test_of_two_operators_who_start_at_once_one_serves_and_the_other_is_told_so(
    cli: CommandLine, tmp_path: Path
) -> None:
    log = {"SHARE_ACTORS_LOG__PATH": str(tmp_path / "log.db")}
    cli.environment.update(log)
    with CommandLine(cli.home.with_name("other"), log) as other:
        both = [cli, other]
        ups = [each.start("--json", "up") for each in both]
        ended = [(up.communicate(timeout=200), up.returncode) for up in ups]

        serving = [each for each, (_, code) in zip(both, ended, strict=True) if code == 0]
        assert len(serving) == 1, ended
        [refused] = [out for (out, _), code in ended if code != 0]
        assert f"of home {serving[0].home}" in refused
        assert serving[0].json("share", "create", "--size", "1")["status"] == "available"


def test_two_starts_at_once_in_one_home_make_one_system(cli: CommandLine) -> None:
    ups = [cli.start("--json", "up") for _ in range(2)]
    ended = [(up.communicate(timeout=200), up.returncode) for up in ups]

    assert [code for _, code in ended] == [0, 0], ended
    documents = [json.loads(out) for (out, _), _ in ended]
    assert sorted(document["already"] for document in documents) == [False, True]
    assert len({document["pid"] for document in documents}) == 1
