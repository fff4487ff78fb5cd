"""Networks, servers, types, backends and managing on the command line, with real directories."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from tests.acceptance.cli import MAX_WAIT_S, CommandLine
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)

CONFIG = """
[backends.local]
driver = "local"
options = {{ root = "{root}/shares" }}

[backends.tenants]
driver = "local-servers"
driver_handles_share_servers = true
options = {{ root = "{root}/tenants" }}
"""
BACKEND_MORE = """
[backends.more]
driver = "dummy"
options = { capacity_gib = 5 }
"""


@pytest.fixture(scope="module")
def cli() -> Iterator[CommandLine]:
    """A command line with a running system."""
    with tempfile.TemporaryDirectory(prefix="sa") as top:
        config = Path(top) / "site.toml"
        config.write_text(CONFIG.format(root=top))
        with CommandLine(Path(top) / "home", {"SHARE_ACTORS_CONFIG": str(config)}) as line:
            line.json("up")
            yield line
            line.json("down")


def top(cli: CommandLine) -> Path:
    return cli.home.parent


def test_a_network_and_its_server_are_created_used_and_deleted(cli: CommandLine) -> None:
    network = cli.json(
        "network", "create", "--cidr", "10.0.0.0/28", "--gateway", "10.0.0.1", "--name", "blue"
    )
    share = cli.json("share", "create", "--size", "1", "--name", "tenant", "--network", "blue")
    [server] = cli.json("server", "list", "--network", "blue")["servers"]
    network_with_share = cli.json("network", "show", "blue")

    assert server["network_allocations"] == ["10.0.0.2"]
    assert share["share_server_id"] == server["id"]
    assert network_with_share["shares"] == {share["id"]: server["id"]}
    assert Path(share["export_locations"][0]["path"]).is_dir()

    in_use = cli("--json", "server", "delete", server["id"])
    assert (in_use.code, in_use.error["code"]) == (7, "refused")
    cli.json("share", "delete", "tenant")
    assert cli.json("server", "delete", server["id"])["status"] == "deleted"
    assert cli.json("server", "delete-free") == {"servers": []}
    events = cli.json("server", "history", server["id"])["events"]
    assert events[0]["topic"] == "server.requested"
    assert cli.json("network", "delete", "blue") == {"id": network["id"], "status": "deleted"}
    assert cli.json("network", "list", "--name", "blue")["networks"] == []


def test_a_password_is_read_from_a_file_and_never_shown(cli: CommandLine) -> None:
    secret = top(cli) / "password"
    secret.write_text("in-plain-sight\n")
    cli.json("network", "create", "--cidr", "10.1.0.0/28", "--name", "secured")
    added = cli(
        "network", "add-service", "secured", "--type", "ldap", "--password-file", str(secret)
    )
    text = cli("network", "show", "secured")
    document = cli("--json", "network", "show", "secured")
    history = cli("--json", "network", "history", "secured")

    assert added.code == 0, added
    for result in (text, document, history):
        assert "in-plain-sight" not in result.out
        assert "sealed:" not in result.out
    [service] = document.document["security_services"]
    assert service["password"] == "********"
    removed = cli.json("network", "remove-service", "secured", service["id"])
    assert removed["status"] == "removed"


def test_invalid_input_is_refused_with_its_field(cli: CommandLine) -> None:
    for args, field in (
        (("network", "create", "--cidr", "10.0.0.1/28"), "cidr"),
        (("network", "create", "--cidr", "10.0.0.0/28", "--type", "vlan"), "segmentation_id"),
        (("type", "create", "gold"), "extra_specs"),
        (("type", "create", "gold", "--spec", "iops"), "spec"),
        (("share", "manage", "--option", "iops"), "option"),
    ):
        result = cli("--json", *args)
        assert (result.code, result.error["field"]) == (3, field), result
    missing = cli("--json", "server", "show", "nobody")
    assert (missing.code, missing.error["code"]) == (5, "not_found")


def test_a_share_type_selects_the_backend_and_no_valid_host_shows_the_reason(
    cli: CommandLine,
) -> None:
    specs = (
        *("--spec", "driver_handles_share_servers=False"),
        *("--spec", "thin_provisioning=<is> True"),
    )
    cli.json("type", "create", "thin", *specs)
    share = cli.json("share", "create", "--size", "1", "--name", "typed", "--type", "thin")
    changed = cli.json(
        "type", "change", "thin", "--spec", "iops=>= 900", "--unset", "thin_provisioning"
    )
    nowhere = cli("share", "create", "--size", "1", "--type", "thin")

    assert (share["host"], share["share_type"]) == ("local#local", "thin")
    assert changed["extra_specs"] == {"driver_handles_share_servers": "False", "iops": ">= 900"}
    assert nowhere.code == 7
    assert "does not report iops" in nowhere.err
    assert "backend list" in nowhere.err
    assert [kind["id"] for kind in cli.json("type", "list")["types"]] == ["thin"]
    assert cli.json("type", "show", "thin")["is_public"] is True
    assert cli.json("type", "delete", "thin")["status"] == "deleted"


def test_a_directory_is_managed_and_unmanaged(cli: CommandLine) -> None:
    old = top(cli) / "shares" / "old"
    old.mkdir(parents=True)
    (old / "letter").write_text("hello")
    option = ("--option", "path=old", "--backend", "local")

    preview = cli.json("share", "manage", *option, "--dry-run")
    assert (preview["path"], preview["size"], old.is_dir()) == (str(old), 1, True)
    managed = cli.json("share", "manage", *option, "--name", "managed")
    assert (managed["status"], managed["host"]) == ("available", "local#local")
    unmanaged = cli.json("share", "unmanage", "managed")
    assert unmanaged["status"] == "unmanaged"
    assert (Path(managed["export_locations"][0]["path"]) / "letter").read_text() == "hello"

    again = cli("--json", "share", "manage", *option)
    assert again.code == 7
    assert "is not a directory under" in again.error["message"]
    assert cli.json("share", "list", "--status", "manage_error")["shares"] == []


def test_snapshots_are_managed_and_unmanaged(cli: CommandLine) -> None:
    (top(cli) / "shares" / "monday").mkdir(parents=True)
    cli.json("share", "create", "--size", "1", "--name", "snapped", "--backend", "local")
    managed = cli.json("snapshot", "manage", "snapped", "--location", "monday", "--name", "monday")
    unmanaged = cli.json("snapshot", "unmanage", managed["id"])

    assert (managed["status"], unmanaged["status"]) == ("available", "unmanaged")


def test_backends_are_listed_watched_and_reloaded(cli: CommandLine) -> None:
    backends = cli.json("backend", "list")["backends"]
    statuses = {name: backend["status"] for name, backend in backends.items()}
    assert statuses == {"local": "up", "tenants": "up"}
    assert set(cli.json("backend", "stats")) == {"local", "tenants"}
    assert set(cli.json("backend", "publish", "local")) == {"local"}
    assert cli.json("backend", "history", "local")["events"][0]["topic"] == "backend.up"

    watching = cli.start("--json", "backend", "stats", "--watch")
    assert watching.stdout is not None
    reported = {json.loads(watching.stdout.readline())["backend"] for _ in range(2)}
    watching.terminate()
    watching.communicate(timeout=60)
    assert reported == {"local", "tenants"}

    config = top(cli) / "site.toml"
    config.write_text(config.read_text() + BACKEND_MORE)
    assert cli.json("backend", "reload") == {"added": ["more"], "changed": [], "removed": []}
    assert set(cli.json("backend", "publish", "more")) == {"more"}  # waits for its first report
    share = cli.json("share", "create", "--size", "5", "--backend", "more")
    assert share["host"] == "more#more"
    assert cli("backend", "reload").out == "No backend changed.\n"


def test_without_json_commands_print_tables(cli: CommandLine) -> None:
    assert "BACKEND" in cli("backend", "stats").out
    assert "local, up" in cli("status").out
    assert "tenants" in cli("backend", "list").out
    for group in ("network", "server", "type", "backend"):
        assert cli(group, "--help").code == 0


def test_the_console_shows_the_system_until_ctrl_c(cli: CommandLine) -> None:
    cli.json("share", "create", "--size", "1", "--name", "shown", "--backend", "local")
    console = cli.start("--json", "console", "--port", "0")
    assert console.stdout is not None
    address = json.loads(console.stdout.readline())["url"]
    browser = build_opener(HTTPCookieProcessor(CookieJar()))

    def page(path: str) -> str:
        with browser.open(urljoin(address, path)) as answer:
            return str(answer.read().decode())

    page(address)
    until(lambda: "<b>share-actors</b> as " in page("/"), MAX_WAIT_S, pause_s=0.2)
    until(lambda: ">shown<" in page("/shares?q=shown"), MAX_WAIT_S, pause_s=0.2)
    console.send_signal(signal.SIGINT)

    assert console.wait(MAX_WAIT_S) == 0
