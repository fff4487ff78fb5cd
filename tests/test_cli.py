"""The command line without a system: its help, its words for errors, and what it keeps on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import EXIT_CODES, app, ray_process
from share_actors.cli.options import number, pairs
from share_actors.cli.output import Output, next_step
from share_actors.cli.rendering import document, show
from share_actors.cli.session import Options, Session
from share_actors.errors import ERRORS, ConfigError, InvalidRequest
from share_actors.values import AccessRule, Share, Snapshot

COMMANDS = [
    "demo", "up", "down", "status", "share create", "share list", "share show", "share extend",
    "share shrink", "share delete", "share retry", "share history", "access allow", "access deny",
    "access list", "snapshot create", "snapshot list", "snapshot delete", "config show",
    "config check", "catalog rebuild", "catalog unpark",
]  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home where nothing runs, and no variable of the machine's user."""
    for name in [name for name in os.environ if name.startswith("SHARE_ACTORS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(tmp_path))
    return tmp_path


def run(*args: str) -> Any:
    return CliRunner().invoke(app, list(args))


# -- help ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example_and_speaks_json(name: str) -> None:
    ended = run(*name.split(), "--help")

    assert ended.exit_code == 0
    assert f"$ share-actors {name.split(maxsplit=1)[0]}" in ended.output
    assert "--json" in ended.output


def test_the_help_lists_every_exit_code_of_every_error() -> None:
    ended = run("--help")

    assert {kind.exit_code for kind in ERRORS.values()} <= set(EXIT_CODES)
    for code, meaning in EXIT_CODES.items():
        assert f"{code}  {meaning[:40]}" in ended.output
    assert "GiB" in ended.output


@pytest.mark.parametrize("args", [["--help"], ["share", "create", "--help"], ["config", "show"]])
def test_help_and_config_do_not_wait_for_ray(args: list[str], home: Path) -> None:
    program = f"""
import sys
from share_actors.cli import app
try:
    app({args!r})
finally:
    assert not {{"ray", "eventsourcing"}} & set(sys.modules), "imported too much"
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert ended.returncode == 0, ended.stderr


# -- errors --------------------------------------------------------------------------------------
def test_what_the_parser_rejects_is_code_2() -> None:
    assert run("share", "create").exit_code == 2
    assert run("no-such-command").exit_code == 2


@pytest.mark.parametrize(
    ("line", "said", "field"),
    [
        ("share create", "Missing option '--size'", "size"),
        ("no-such-command", "No such command 'no-such-command'", None),
        ("share destroy", "No such command 'destroy'", None),
        ("--colour status", "No such option: --colour", None),
        ("share list --limit x", "Invalid value for '--limit'", "limit"),
        ("share show", "Missing argument 'SHARE'", "share"),
        ("share show a b", "unexpected extra argument", None),
        ("share list --name", "Option '--name' requires an argument", None),
        ("share", "share-actors share: which command?", None),
        ("", "share-actors: ", None),
    ],
)
def test_what_the_parser_rejects_is_a_document_if_one_is_asked_for(
    line: str, said: str, field: str | None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = run("--json", *line.split())
    monkeypatch.setenv("SHARE_ACTORS_JSON", "1")
    by_variable = run(*line.split())
    error = json.loads(asked.stdout)["error"]

    assert set(error) == {"code", "message", "field", "value", "details", "exit_code"}
    assert (error["code"], error["field"], error["exit_code"]) == ("usage", field, 2)
    assert said in error["message"]
    assert (asked.exit_code, asked.stderr) == (2, "")
    assert by_variable.exit_code == 2
    assert json.loads(by_variable.stdout)["error"]["field"] == field


def test_an_option_after_the_command_asks_for_a_document_too(home: Path) -> None:
    assert json.loads(run("share", "create", "--json").stdout)["error"]["code"] == "usage"
    assert run("share", "show", "a", "b", "--", "--json").stdout == ""


def test_without_a_system_a_command_says_how_to_start_one(home: Path) -> None:
    ended = run("share", "list")

    assert ended.exit_code == 11
    assert "share-actors up" in ended.stderr


def test_an_error_for_scripts_is_the_one_document_on_stdout(home: Path) -> None:
    for args in (["--json", "share", "list"], ["share", "list", "--json"]):
        ended = run(*args)

        assert json.loads(ended.stdout)["error"]["code"] == "unavailable"
        assert ended.exit_code == 11
        assert ended.stderr == ""


def test_a_defect_is_told_in_a_line_and_shows_its_traceback_when_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(system_state, "read", fail)
    ended, debugged = run("share", "list"), run("--debug", "share", "list")

    assert ended.exit_code == 1
    assert "unexpected ZeroDivisionError: by design" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Traceback" in debugged.stderr


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_says_what_to_do_next(code: str) -> None:
    said = next_step(ERRORS[code]("it happened", share_id="s1"), "share list")

    assert "{" not in said
    assert said or code in ("error", "moved")


def test_the_words_of_an_error_are_not_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Output().error(InvalidRequest("name: '[/red]' is [bold]bad[/]"), "share create")

    assert "name: '[/red]' is [bold]bad[/]" in capsys.readouterr().err


# -- what is shown -------------------------------------------------------------------------------
def test_a_share_is_shown_with_the_ids_of_its_rules_and_the_reasons_of_what_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rule = AccessRule(
        id="r-1", access_type="ip", access_to="10.0.0.1", state="error", reason="[no] such net"
    )
    snapshot = Snapshot(id="n-1", share_id="s-1", name="then", status="error", reason="disk full")
    share = Share(id="s-1", size=1, access_rules=(rule,), snapshots=(snapshot,))

    show(Session(Options()), share)

    shown = capsys.readouterr().out.splitlines()
    assert "r-1   ip    10.0.0.1  rw     error  [no] such net" in shown
    assert any(line.split()[:5] == ["n-1", "then", "0", "error", "disk"] for line in shown)
    told = document(share)
    assert (told["access_rules"][0]["id"], told["access_rules"][0]["reason"]) == (
        "r-1", "[no] such net",
    )  # fmt: skip
    assert told["snapshots"][0]["reason"] == "disk full"


# -- input ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "value"), [("10", 10), ("-1", -1), ("1.5", 1.5), ("abc", "abc"), ("", ""), ("²", "²")]
)
def test_a_size_is_read_as_what_it_is_and_judged_elsewhere(text: str, value: object) -> None:
    assert number(text) == value


def test_a_size_of_thousands_of_digits_is_no_crash() -> None:
    assert number("9" * 5000) == float("inf")


def test_metadata_is_keys_and_values() -> None:
    assert pairs(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    with pytest.raises(InvalidRequest, match="'novalue' is not KEY=VALUE"):
        pairs(["novalue"])


# -- configuration -------------------------------------------------------------------------------
def test_config_show_tells_where_each_setting_is_from(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "site.toml").write_text("[log]\nlock_timeout_s = 7\n[hosting]\nmin_actors = 1\n")
    monkeypatch.setenv("SHARE_ACTORS_HOSTING__MIN_ACTORS", "2")
    ended = run("--json", "--config", str(home / "site.toml"), "config", "show")
    told = {
        item["key"]: (item["value"], item["from"]) for item in json.loads(ended.stdout)["settings"]
    }

    assert told["log.lock_timeout_s"] == (7, str(home / "site.toml"))
    assert told["hosting.min_actors"] == (2, "environment, SHARE_ACTORS_HOSTING__MIN_ACTORS")
    assert told["log.kind"] == ("sqlite", "default")
    assert told["log.path"] == (str(home / "log.db"), "default")


def test_secrets_are_never_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARE_ACTORS_LOG__PASSWORD", "hunter2")

    assert "hunter2" not in run("config", "show").stdout


def test_config_check_names_the_key_that_is_wrong(home: Path) -> None:
    (home / "a.toml").write_text('[backends.b]\ndriver = "no-such"\n')
    (home / "b.toml").write_text("[hosting]\nmin_actors = 0\n")

    for file, key in (("a.toml", "backends.b.driver"), ("b.toml", "hosting.min_actors")):
        ended = run("--json", "config", "check", str(home / file))
        assert ended.exit_code == 4
        assert json.loads(ended.stdout)["error"]["field"] == key


def test_config_check_tells_what_it_found_and_makes_nothing(home: Path) -> None:
    told = json.loads(run("config", "check", "--json").stdout)

    assert (told["ok"], told["events"], told["backends"]) == (True, None, {"local": "local"})
    assert "The log (sqlite) will be made at the first start." in run("config", "check").stdout
    assert list(home.iterdir()) == []


def test_config_check_refuses_what_could_not_start(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").touch()
    (home / "log.db").write_text("no log")
    damaged = run("config", "check", "--json")
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(home / "file" / "below"))
    nowhere = run("config", "check", "--json")

    assert (damaged.exit_code, json.loads(damaged.stdout)["error"]["field"]) == (12, "log.path")
    assert (nowhere.exit_code, json.loads(nowhere.stdout)["error"]["field"]) == (4, "home")


def test_config_check_can_ask_the_backends(home: Path) -> None:
    (home / "file").touch()
    options = f'options = {{ root = "{home}/file/below" }}'
    (home / "c.toml").write_text(f'[backends.b]\ndriver = "local"\n{options}\n')

    assert run("config", "check", str(home / "c.toml")).exit_code == 0
    assert run("config", "check", str(home / "c.toml"), "--backends").exit_code == 11


# -- what runs -----------------------------------------------------------------------------------
def test_a_system_is_remembered_until_it_is_forgotten(tmp_path: Path) -> None:
    state = SystemState(namespace="n", address="127.0.0.1:1", pid=1, created=2.0, token="/t")

    assert system_state.read(tmp_path) is None
    system_state.write(tmp_path, state)
    assert system_state.read(tmp_path) == state
    system_state.forget(tmp_path)
    system_state.forget(tmp_path)
    assert system_state.read(tmp_path) is None


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    system_state.path(tmp_path).write_text("{")

    with pytest.raises(ConfigError, match=r"system\.json can't be read"):
        system_state.read(tmp_path)


def test_a_process_with_the_same_id_is_not_the_same_process() -> None:
    me = psutil.Process()

    assert system_state.same_process(me.pid, me.create_time())
    assert not system_state.same_process(me.pid, me.create_time() - 60)
    assert ray_process.processes(me.pid, me.create_time() - 60) == []


def test_auto_is_the_system_in_the_users_home(home: Path) -> None:
    me = psutil.Process()
    state = SystemState(
        namespace="n", address="127.0.0.1:7", pid=me.pid, created=me.create_time(), token="/t"
    )
    system_state.write(home, state)

    assert system_state.reach("auto") == ("127.0.0.1:7", state.environment)
    assert system_state.reach("10.0.0.1:6379") == ("10.0.0.1:6379", {})
    system_state.write(home, state.replace(created=1.0))
    assert system_state.reach("auto") == ("auto", {})


def test_ending_a_head_ends_its_session_and_nothing_else(tmp_path: Path) -> None:
    directory = tmp_path / "ray"
    directory.mkdir()
    bystander = subprocess.Popen(["sleep", "60"])
    head = subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60 & wait"], start_new_session=True)
    state = SystemState(
        namespace="n", pid=head.pid, created=psutil.Process(head.pid).create_time(),
        directory=str(directory),
    )  # fmt: skip
    try:
        while len(ours := ray_process.processes(head.pid, state.created)) < 3:
            pass
        assert ray_process.stop_ray(state, grace_s=1.0) == 2  # sleepers that nobody told
        assert ray_process.stop_ray(state) == 0
        assert all(ray_process.over(process) for process in ours)
        assert bystander.poll() is None
        assert not directory.exists()
    finally:
        bystander.kill()
        bystander.wait()
        head.wait()
