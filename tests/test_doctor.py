"""`share-actors doctor`: its table, its document and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from share_actors.cli import EXIT_CODES
from share_actors.cli.commands.doctor import LACKING
from share_actors.drivers import Requirement, ShareDriver
from share_actors.drivers.base import DriverOptions
from share_actors.drivers.registry import drivers_registered
from tests.command_tree import invoke

MISSING = Requirement(
    what="served",
    why="serves [all] shares",
    met=False,
    found="absent",
    mend="apt-get install served",
)
WARNING = MISSING.replace(what="unit", required=False, mend="systemctl disable unit")


class LackingDriver(ShareDriver):
    """A driver whose daemon is not installed."""

    def requirements(self) -> Sequence[Requirement]:
        return (MISSING, WARNING)


class SilentDriver(ShareDriver):
    """A driver that does not state what it requires, and needs an option."""

    class Options(DriverOptions):
        """One option without a default."""

        address: str


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a system, and an environment without variables of this machine's user."""
    for name in [name for name in os.environ if name.startswith("SHARE_ACTORS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def site(home: Path) -> Path:
    """A configuration file of three backends."""
    file = home / "site.toml"
    file.write_text(
        f'[backends.good]\ndriver = "local"\noptions = {{ root = "{home}/shares" }}\n'
        '[backends.bad]\ndriver = "lacking"\n'
        '[backends.mute]\ndriver = "silent"\noptions = { address = "a" }\n'
    )
    return file


def run(*args: str) -> Any:
    """The result of `doctor` with *args*, with two more drivers."""
    with drivers_registered({"lacking": LackingDriver, "silent": SilentDriver}):
        return invoke(["doctor", *args])


def test_without_configuration_every_driver_is_examined(home: Path) -> None:
    document = json.loads(run("--json").stdout)

    assert {"dummy", "local", "local-servers", "lacking", "silent"} <= document["backends"].keys()
    assert document["backends"]["local"]["stated"] is True
    assert document["backends"]["silent"] == {
        "driver": "silent",
        "stated": False,
        "ok": True,
        "requirements": [],
    }
    assert list(home.iterdir()) == []


def test_a_missing_requirement_has_its_own_exit_code_and_the_command_that_mends_it(
    home: Path,
) -> None:
    result = run("lacking")

    assert result.exit_code == LACKING == 13
    assert "Backend lacking (driver lacking): cannot work, 1 missing. 1 warning." in result.stdout
    assert "serves [all] shares" in result.stdout
    assert "apt-get install served" in result.stdout
    assert "missing" in EXIT_CODES[LACKING]


def test_a_configured_backend_that_has_everything_is_a_success(site: Path) -> None:
    result = run("good", "--config", str(site))

    assert result.exit_code == 0
    assert "Backend good (driver local): has what it requires." in result.stdout
    assert not (site.parent / "shares").exists()


def test_all_configured_backends_are_one_document(site: Path) -> None:
    result = run("--config", str(site), "--json")

    document = json.loads(result.stdout)
    assert result.exit_code == LACKING
    assert document["ok"] is False
    assert {name: b["ok"] for name, b in document["backends"].items()} == {
        "good": True,
        "bad": False,
        "mute": True,
    }
    assert document["backends"]["bad"]["requirements"][0] == {
        "state": "missing",
        **MISSING.model_dump(),
    }


def test_a_driver_that_states_nothing_points_to_the_other_check(site: Path) -> None:
    result = run("mute", "--config", str(site))

    assert result.exit_code == 0
    assert "does not state what it requires; `config check --backends`" in result.stdout


@pytest.mark.parametrize("configured", [True, False])
def test_an_unknown_name_is_an_error_that_lists_the_known_ones(
    configured: bool, site: Path
) -> None:
    arguments = ["--config", str(site)] if configured else []

    result = run("nowhere", "--json", *arguments)

    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"]) == (4, "config")
    assert ("good, bad, mute" if configured else "local-servers") in error["message"]


def test_an_invalid_option_of_a_backend_is_an_error_that_names_it(home: Path) -> None:
    file = home / "site.toml"
    file.write_text('[backends.b]\ndriver = "local"\noptions = { root = "relative" }\n')

    error = json.loads(run("--config", str(file), "--json").stdout)["error"]

    assert error["field"] == "backends.b.options.root"


def test_the_real_command_needs_neither_ray_nor_the_log(home: Path) -> None:
    program = (
        "import sys\nfrom share_actors.cli import app\ntry:\n    app(['doctor', '--json'])\n"
        "finally:\n    assert not {'ray', 'eventsourcing'} & set(sys.modules)\n"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert (result.returncode, result.stderr) in {(0, b""), (LACKING, b"")}
    assert {"local", "local-servers"} <= json.loads(result.stdout)["backends"].keys()
    assert list(home.iterdir()) == []


def test_the_help_teaches_states_and_exit_codes() -> None:
    text = " ".join(run("--help").stdout.split())

    for word in ("missing", "warning", "13", "$ share-actors doctor", "--json"):
        assert word in text
