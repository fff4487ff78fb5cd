"""`share-actors doctor`: its table, its document and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from share_actors.cli import EXIT_CODES
from share_actors.cli.commands.system import monitoring_needs
from share_actors.cli.exit_codes import LACKING
from share_actors.drivers import DriverError, Requirement
from share_actors.drivers.base import DriverOptions
from share_actors.drivers.machine import ThisMachine
from share_actors.drivers.registry import drivers_registered
from share_actors.observability import tracing
from tests.command_tree import invoke
from tests.drivers.whole import WholeDriver
from tests.storage.conftest import need

MISSING = Requirement(
    what="served",
    why="serves [all] shares",
    met=False,
    found="absent",
    mend="apt-get install served",
)

WARNING = MISSING.replace(what="unit", required=False, mend="systemctl disable unit")


class LackingDriver(WholeDriver):
    """A driver whose daemon is not installed."""

    def requirements(self) -> Sequence[Requirement]:
        return (MISSING, WARNING)


class SilentDriver(WholeDriver):
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


def test_a_port_that_an_earlier_backend_has_is_missing_to_the_later_one(site: Path) -> None:
    with site.open("a") as file:
        for name in ("one", "two"):
            options = f'root = "{site.parent}/{name}", device = "{site.parent}/{name}.img"'
            file.write(f'[backends.{name}]\ndriver = "btrfs"\noptions = {{ {options} }}\n')

    result = run("two", "one", "--json", "--config", str(site))

    backends = json.loads(result.stdout)["backends"]
    found = {
        name: [r["mend"] for r in told["requirements"] if r["what"].startswith("port 2049 at")]
        for name, told in backends.items()
    }
    assert found == {"two": ["set another backends.two.options.nfs_port"], "one": []}
    assert result.exit_code == LACKING


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


@pytest.mark.parametrize("driver", ["btrfs", "btrfs-servers"])
def test_a_machine_without_configuration_is_told_what_each_driver_lacks(
    home: Path, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a bare machine, where no program of any package is found."""
    monkeypatch.setattr(ThisMachine, "which", lambda *_: None)

    found = json.loads(run(driver, "--json").stdout)["backends"][driver]["requirements"]

    mends = {item["mend"] for item in found if item["state"] == "missing"}
    packages = {mend.split()[-1] for mend in mends if "apt-get install" in mend}
    assert {"nfs-ganesha", "dbus-daemon", "btrfs-progs"} <= packages
    assert list(home.iterdir()) == []


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package for metrics or traces is installed."""
    monkeypatch.setattr(monitoring_needs, "find_spec", lambda _: None)
    monkeypatch.setattr(tracing, "find_spec", lambda _: None)


def monitoring(*args: str) -> tuple[int, dict[str, str]]:
    """The exit code, and the state of what metrics and traces need, by what it is."""
    result = run("--json", *args)
    told = json.loads(result.stdout)["monitoring"]["requirements"]
    return result.exit_code, {need["what"]: need["state"] for need in told}


def test_the_packages_of_configured_metrics_and_traces_are_required(home: Path, bare: None) -> None:
    file = home / "site.toml"
    backend = '[backends.d]\ndriver = "dummy"\n'
    file.write_text(f'{backend}[traces]\nendpoint = "http://127.0.0.1:4318"\n')

    assert monitoring("--config", str(file)) == (LACKING, {"packages for traces": "missing"})
    shown = " ".join(run("--config", str(file)).stdout.split())
    assert "Monitoring: cannot work, 1 missing." in shown
    assert "opentelemetry.sdk and opentelemetry.exporter.otlp.proto.http missing" in shown
    assert "pip install 'share-actors[traces]'" in shown

    file.write_text(f'{backend}[metrics]\naddress = "127.0.0.1:0"\n')
    assert monitoring("--config", str(file)) == (LACKING, {"packages for metrics": "missing"})


def test_what_is_not_configured_is_not_required(home: Path, bare: None) -> None:
    assert monitoring("dummy") == (0, {})
    _, needs = monitoring()
    assert needs == {"packages for metrics": "warning", "packages for traces": "warning"}


def test_installed_packages_of_configured_monitoring_are_in_order(home: Path) -> None:
    file = home / "site.toml"
    file.write_text(
        '[backends.d]\ndriver = "dummy"\n[metrics]\naddress = "127.0.0.1:0"\n'
        '[traces]\nendpoint = "http://127.0.0.1:4318"\n'
    )

    needs = {"packages for metrics": "ok", "packages for traces": "ok"}
    assert monitoring("--config", str(file)) == (0, needs)
    assert monitoring()[1] == {}


def test_the_real_command_needs_neither_ray_nor_the_log(home: Path) -> None:
    program = (
        "import sys\nfrom share_actors.cli import app\ntry:\n    app(['doctor', '--json'])\n"
        "finally:\n    assert not {'ray', 'eventsourcing'} & set(sys.modules)\n"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert (result.returncode, result.stderr) in {(0, b""), (LACKING, b"")}
    assert {"local", "local-servers"} <= json.loads(result.stdout)["backends"].keys()
    assert list(home.iterdir()) == []


BARE = """
mount -t tmpfs none /usr/sbin && mount -t tmpfs none /var/lib/apt && exec "$0" -c '
from share_actors.cli import app
app(["doctor", "btrfs", "--json"])'
"""


def test_the_real_command_finds_what_a_bare_machine_lacks_and_how_to_install_it(home: Path) -> None:
    """In mounts of its own, without the programs of administrators and without lists of packages."""
    need({"unshare": "util-linux", "mount": "mount", "mkfs.btrfs": "btrfs-progs"})
    program = ["unshare", "--mount", "sh", "-c", BARE, sys.executable]

    result = subprocess.run(program, capture_output=True, check=False)

    found = json.loads(result.stdout)["backends"]["btrfs"]["requirements"]
    [tool] = [item for item in found if item["what"] == "mkfs.btrfs"]
    assert (result.returncode, tool["state"]) == (LACKING, "missing")
    assert tool["mend"] == ("apt-get update && apt-get install --no-install-recommends btrfs-progs")


def test_the_help_teaches_states_and_exit_codes() -> None:
    text = " ".join(run("--help").stdout.split())

    for word in ("missing", "warning", "13", "$ share-actors doctor", "--json"):
        assert word in text


class StrayingDriver(WholeDriver):
    """A driver of whose share servers two things were left; it cannot delete the second one."""

    left: ClassVar[list[str]] = []

    def strays(self, *, delete: bool = False) -> Sequence[str]:
        found = tuple(self.left)
        if delete and "bridge b" in found:
            raise DriverError("ip: link delete dev b: Operation not permitted")
        return found


@pytest.mark.parametrize(
    ("left", "option", "printed"),
    [
        ([], "--strays", "No strays."),
        (["interface a"], "--strays", "astray: interface a"),
        (["interface a"], "--delete-strays", "astray: interface a deleted"),
    ],
)
def test_strays_of_configured_backends_are_listed_and_deleted(
    site: Path, left: list[str], option: str, printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write_text(site.read_text() + '[backends.astray]\ndriver = "straying"\n')
    monkeypatch.setattr(StrayingDriver, "left", left)

    with drivers_registered({"straying": StrayingDriver}):
        result = run(option, "--config", str(site))
        document = json.loads(run(option, "--json", "--config", str(site)).stdout)

    assert (result.exit_code, result.stdout.strip()) == (0, printed)
    assert document == {"deleted": "delete" in option, "strays": {"astray": left}}


def test_strays_that_cannot_be_deleted_are_an_error_that_names_the_backend(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write_text(site.read_text() + '[backends.astray]\ndriver = "straying"\n')
    monkeypatch.setattr(StrayingDriver, "left", ["interface a", "bridge b"])

    with drivers_registered({"straying": StrayingDriver}):
        result = run("--delete-strays", "--json", "--config", str(site))

    error = json.loads(result.stdout)["error"]
    assert error["field"] == "backends.astray"
    assert "Operation not permitted" in error["message"]
