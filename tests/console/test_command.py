"""`share-actors console`: what it refuses before it serves anything."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from share_actors.cli.commands import console
from share_actors.cli.console.server import listen
from share_actors.errors import InvalidRequest, Unavailable
from tests.cli_home import error_of, home, run

__all__ = ["home"]


def test_without_its_packages_it_says_how_to_install_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "NEEDED", ("starlette", "not_installed_anywhere"))

    result = run("--json", "console")

    assert result.exit_code == 11
    assert "missing: not_installed_anywhere" in error_of(result)["message"]
    assert "pip install 'share-actors[console]'" in result.stdout


def test_without_a_system_it_says_how_to_start_one(home: Path) -> None:
    result = run("--json", "console")

    assert (result.exit_code, error_of(result)["code"]) == (11, "unavailable")
    assert "share-actors up" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--host", "0.0.0.0"), "host"),
        (("--host", "::"), "host"),
        (("--allow-host", "nas:8470"), "allow_host"),
        (("--allow-host", "http://nas"), "allow_host"),
        (("--allow-host", ""), "allow_host"),
    ],
)
def test_a_name_that_no_browser_sends_is_refused(
    home: Path, arguments: tuple[str, ...], field: str
) -> None:
    result = run("--json", "console", *arguments)

    assert result.exit_code == 3
    assert error_of(result)["field"] == field


def test_a_port_in_use_is_named_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} of 127.0.0.1 is in use") as error:
            listen("127.0.0.1", port)

    assert "--port 0" in error.value.details["next_step"]


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequest, match="is not an address of this machine"):
        listen(host, 0)
