"""The units that `service install` writes are what systemd accepts, and run what they should."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.runtime.stop_times import longest_stop_s
from share_actors.client.keywords import STOP_TIMEOUT_S
from tests.cli_home import error_of, home, run

__all__ = ["home"]

FORMS: dict[str, list[str]] = {
    "a system": [],
    "a system on another Ray": ["--address", "10.0.0.1:6379"],
    "a head": ["--head", "10.0.0.1:6379", "--resource", 'a "tape" for $5 or 100%'],
    "a node": [
        *("--worker", "10.0.0.1:6379", "--backend", "tape", "--resource", "x y"),
        *("--node-address", "10.0.0.7", "--any-version"),
    ],
}
EXECUTED = {
    "a system": ["up", "--foreground"],
    "a system on another Ray": ["--address", "10.0.0.1:6379", "up", "--foreground"],
    "a head": [
        *("up", "--foreground", "--listen", "10.0.0.1:6379"),
        *("--resource", 'a "tape" for $5 or 100%'),
    ],
    "a node": [
        *("up", "--foreground", "--join", "10.0.0.1:6379"),
        *("--node-address", "10.0.0.7", "--any-version"),
        *("--resource", "x y", "--backend", "tape"),
    ],
}
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs the Debian package systemd"
)


def install(*options: str) -> dict[str, Any]:
    """The document of `service install`."""
    ran = run("--json", "service", "install", *options)
    assert ran.exit_code == 0, ran.output
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


@pytest.fixture(autouse=True)
def _units(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have user units in the test's own directory."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))


@pytest.mark.parametrize("form", FORMS)
def test_a_unit_runs_the_command_of_its_form(form: str) -> None:
    unit = install("--print", *FORMS[form])["unit"]

    [command] = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    words = shlex.split(command.replace("%%", "%").replace("$$", "$"))
    assert words[1:3] == ["-m", "share_actors.cli"]
    assert words[3:] == EXECUTED[form]


@pytest.mark.parametrize("form", FORMS)
def test_a_unit_lets_a_stop_end_that_takes_as_long_as_down_may(form: str) -> None:
    unit = install("--print", *FORMS[form])["unit"]

    [allowed] = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert int(allowed) >= longest_stop_s(0.0 if form == "a node" else STOP_TIMEOUT_S)


@needs_systemd
@pytest.mark.parametrize("machine", [[], ["--system"]], ids=["of a user", "of the machine"])
@pytest.mark.parametrize("form", FORMS)
def test_systemd_accepts_the_unit(
    form: str, machine: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config := tmp_path / 'site % "x".toml').touch()
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(tmp_path / 'home % "x"'))
    document = install("--print", "--config", str(config), *machine, *FORMS[form])
    (file := tmp_path / Path(document["path"]).name).write_text(document["unit"])

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *([] if machine else ["--user"]), str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )

    assert file.name not in verified.stderr, verified.stderr


def test_a_unit_of_a_user_has_no_option_that_takes_sudo_from_drivers() -> None:
    """A user manager applies filters of system calls only together with `NoNewPrivileges`."""
    assert "SystemCallArchitectures" not in install("--print")["unit"]
    assert "SystemCallArchitectures" in install("--print", "--system")["unit"]


@pytest.mark.parametrize("form", FORMS)
def test_no_unit_has_a_mount_namespace_of_its_own(form: str) -> None:
    """What a driver mounts or exports must be seen outside of the unit."""
    unit = install("--print", "--system", *FORMS[form])["unit"]

    assert not re.search(r"^(Private|ReadOnly|ReadWrite|Protect(?!Hostname))", unit, re.MULTILINE)


def test_units_are_written_where_their_manager_finds_them(home: Path) -> None:
    (home / "copy").write_text("secret")
    node = install("--worker", "10.0.0.1:6379", "--token-file", str(home / "copy"))
    system = install()

    assert Path(system["path"]) == home / "xdg/systemd/user/share-actors.service"
    assert Path(node["path"]).read_text() == node["unit"]
    assert node["enable"].endswith("enable --now share-actors-node")
    assert (home / "cluster.token").read_text() == "secret"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (["--head", "fd00::1"], "head"),
        (["--worker", "10.0.0.1:ray"], "worker"),
        (["--worker", "10.0.0.1", "--head", "10.0.0.2"], "worker"),
        (["--head", "10.0.0.1", "--token-file", "t"], "token_file"),
        (["--worker", "10.0.0.1", "--token-file", "absent"], "token_file"),
        (["--worker", "10.0.0.1", "--resource", "CPU"], "resource"),
        (["--worker", "10.0.0.1", "--node-address", "203.0.113.7"], "node_address"),
        (["--worker", "10.0.0.1", "--node-address", "ten", "--print"], "node_address"),
        (["--head", "10.0.0.1", "--any-version"], "any_version"),
        (["--address", "10.0.0.2:1", "--worker", "10.0.0.1"], "address"),
    ],
)
def test_a_unit_that_could_not_start_is_refused_by_name(
    options: list[str], field: str, home: Path
) -> None:
    ran = run("--json", "service", "install", *options)

    assert (ran.exit_code, error_of(ran)["field"]) == (3, field)
    assert not (home / "xdg").exists()


def test_a_unit_that_can_not_be_written_leaves_the_token_as_it_was(home: Path) -> None:
    (home / "cluster.token").write_text("former")
    (home / "copy").write_text("secret")
    (home / "xdg").write_text("no directory")

    ran = run("service", "install", "--worker", "10.0.0.1", "--token-file", str(home / "copy"))

    assert "Nothing was installed" in ran.stderr
    assert (home / "cluster.token").read_text() == "former"
