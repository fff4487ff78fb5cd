"""Secrets planted wherever one can come in: none is in the log, in files of Ray, or in what is printed."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from share_actors.actors.runtime import system_state
from tests.acceptance.cli import CommandLine

pytestmark = pytest.mark.timeout(300)
CONFIG = """
[backends.d]
driver = "dummy"
max_attempts = 2
backoff_s = 0.05
[backends.d.options]
directory = "{top}/d"
password = "PLANTED-option"
bug = ["create_snapshot"]
[backends.d.options.fail]
extend_share = "https://admin:PLANTED-url@nas/?token=PLANTED-query refused {{password}}"

[backends.served]
driver = "dummy"
driver_handles_share_servers = true
options = {{ directory = "{top}/served", password = "PLANTED-served" }}
"""
COMMANDS = (
    "config show",
    "config show --running --json",
    "network create --cidr 10.0.0.0/28 --name n",
    "network add-service n --type ldap --password-file {top}/password",
    "network show n --json",
    "network history n --json",
    "share create --size 1 --network n --name on-server",
    "server list --json",
    "share history on-server --json",
    "share manage --backend d --option size=1 --option community=PLANTED-manage --name found",
    "share history found --json",
    "share history found",
    "snapshot create found",
    "share extend found --size 2",
    "share show found --json",
    "share explain found --json",
    "share explain found",
    "backend stats --json",
    "status --json",
    "up --config {top}/other.toml",
)


@pytest.fixture(scope="module")
def printed(line: CommandLine) -> str:
    """All that the commands print."""
    results = [line(*command.format(top=line.home.parent).split()) for command in COMMANDS]
    assert [r.code for r in results][:11] == [0] * 11, results
    return "\n".join(result.out + result.err for result in results)


@pytest.fixture(scope="module")
def line() -> Iterator[CommandLine]:
    """A command line with a running system, whose configuration is outside of its home."""
    with tempfile.TemporaryDirectory(prefix="sa") as name:
        top = Path(name)
        (top / "site.toml").write_text(CONFIG.format(top=top))
        other = CONFIG.format(top=top).replace("PLANTED-option", "PLANTED-other")
        (top / "other.toml").write_text(other)
        (top / "password").write_text("PLANTED-service\n")
        environment = {"SHARE_ACTORS_CONFIG": str(top / "site.toml")}
        with CommandLine(top / "home", environment) as line:
            line.json("up")
            yield line
            line.json("down")


def test_no_planted_secret_is_printed(printed: str) -> None:
    assert "PLANTED" not in printed
    assert "simulated bug" in printed
    assert "https://admin:********@nas/?token=********" in printed
    assert "password is another secret" in printed


@pytest.mark.usefixtures("printed")
def test_no_planted_secret_is_in_a_file_of_the_system_or_of_its_ray(line: CommandLine) -> None:
    state = system_state.read(line.home)
    assert state is not None
    assert state.directory is not None
    searched = [line.home, Path(state.directory)]
    files = [file for top in searched for file in top.rglob("*") if is_regular(file)]

    found = [str(file) for file in files if b"PLANTED" in file.read_bytes()]

    assert any(file.suffix == ".db" for file in files)
    assert any(b"simulated bug" in f.read_bytes() for f in files if f.suffix in (".err", ".log"))
    assert found == []


def is_regular(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except FileNotFoundError:  # Ray's own files come and go
        return False
