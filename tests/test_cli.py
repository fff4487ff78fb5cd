"""The command line without a system: its help, its messages for errors, and its files."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import pytest

from share_actors.actors.runtime import system_state
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import EXIT_CODES, ray_process
from share_actors.cli.options import parse_number, parse_pairs
from share_actors.cli.output import Output, count, next_step
from share_actors.cli.rendering import SHARE_FIELDS, print_share, share_document
from share_actors.cli.session import Options, Session
from share_actors.errors import ERRORS, ConfigError, InvalidRequest, Unavailable
from share_actors.values import AccessRule, ExportLocation, Share, Snapshot
from tests.command_tree import invoke

COMMANDS = (
    *("demo", "up", "down", "status"),
    *("share create", "share list", "share show", "share extend", "share shrink"),
    "share revert",
    *("share delete", "share retry", "share history"),
    *("access allow", "access deny", "access list"),
    *("snapshot create", "snapshot list", "snapshot delete"),
    *("snapshot show", "snapshot allow", "snapshot deny", "snapshot rules"),
    *("config show", "config check", "catalog rebuild", "catalog unpark"),
    *("subject list", "subject forget"),
)
NOTHING_HEAVY_IMPORTED = """
import sys
from share_actors.cli import app
try:
    app({args!r})
finally:
    assert not {{"ray", "eventsourcing"}} & set(sys.modules), "imported too much"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a system, and an environment without variables of this machine's user."""
    for name in [name for name in os.environ if name.startswith("SHARE_ACTORS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(tmp_path))
    return tmp_path


def run(*args: str) -> Any:
    """The result of the command line with *args*, run in this process."""
    return invoke(list(args))


def error_of(result: Any) -> Any:
    """The error in the JSON document on stdout."""
    return json.loads(result.stdout)["error"]


# -- help and version ----------------------------------------------------------------------------
@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example_and_the_json_option(name: str) -> None:
    result = run(*name.split(), "--help")

    assert result.exit_code == 0
    assert f"$ share-actors {name.split(maxsplit=1)[0]}" in result.output
    assert "--json" in result.output


def test_the_help_lists_every_exit_code_of_every_error() -> None:
    result = run("--help")

    assert {kind.exit_code for kind in ERRORS.values()} <= set(EXIT_CODES)
    for code, meaning in EXIT_CODES.items():
        assert f"{code}  {meaning[:40]}" in result.output
    assert "GiB" in result.output


@pytest.mark.parametrize(
    "args", [["--help"], ["--version"], ["share", "create", "--help"], ["config", "show"]]
)
def test_help_version_and_config_do_not_import_ray(args: list[str], home: Path) -> None:
    program = NOTHING_HEAVY_IMPORTED.format(args=args)

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert result.returncode == 0, result.stderr


def test_the_version_is_that_of_the_installed_package() -> None:
    result = run("--version")

    assert result.exit_code == 0
    assert result.stdout == f"share-actors {metadata.version('share-actors')}\n"
    assert "--version" in run("--help").output


@pytest.mark.parametrize("args", [["--version", "--json"], ["--json", "--version"]])
def test_the_version_with_json_is_a_document(args: list[str]) -> None:
    assert json.loads(run(*args).stdout) == {"version": metadata.version("share-actors")}


def test_the_version_is_printed_before_anything_else_is_checked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARE_ACTORS_NO_SUCH_SETTING", "1")

    result = run("--config", "missing.toml", "--version", "no-such-command")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("share-actors ")


# -- errors --------------------------------------------------------------------------------------
def test_a_command_line_that_does_not_parse_ends_with_code_2() -> None:
    assert run("share", "create").exit_code == 2
    assert run("no-such-command").exit_code == 2


@pytest.mark.parametrize(
    ("line", "message", "field"),
    [
        ("share create", "Missing option '--size'", "size"),
        ("no-such-command", "No such command 'no-such-command'", None),
        ("share destroy", "No such command 'destroy'", None),
        ("--colour status", "No such option: --colour", None),
        ("share list --limit x", "Invalid value for '--limit'", "limit"),
        ("share show", "Missing argument 'SHARE'", "share"),
        ("share show a b", "unexpected extra argument", None),
        ("share list --name", "Option '--name' requires an argument", None),
        ("share", "share-actors share: a command is required", None),
        ("", "share-actors: ", None),
    ],
)
def test_with_json_an_error_of_the_parser_is_a_document(
    line: str, message: str, field: str | None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_option = run("--json", *line.split())
    monkeypatch.setenv("SHARE_ACTORS_JSON", "1")
    by_variable = run(*line.split())
    error = error_of(by_option)

    assert set(error) == {"code", "message", "field", "value", "details", "exit_code"}
    assert (error["code"], error["field"], error["exit_code"]) == ("usage", field, 2)
    assert message in error["message"]
    assert (by_option.exit_code, by_option.stderr) == (2, "")
    assert by_variable.exit_code == 2
    assert error_of(by_variable)["field"] == field


def test_json_may_stand_after_the_command_but_not_after_two_dashes(home: Path) -> None:
    assert error_of(run("share", "create", "--json"))["code"] == "usage"
    assert run("share", "show", "a", "b", "--", "--json").stdout == ""


def test_without_a_system_a_command_says_how_to_start_one(home: Path) -> None:
    result = run("share", "list")

    assert result.exit_code == 11
    assert "share-actors up" in result.stderr


def test_with_json_an_error_is_the_one_document_on_stdout(home: Path) -> None:
    for args in (["--json", "share", "list"], ["share", "list", "--json"]):
        result = run(*args)

        assert error_of(result)["code"] == "unavailable"
        assert result.exit_code == 11
        assert result.stderr == ""


def test_a_defect_is_reported_in_a_line_and_with_debug_shows_its_traceback(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(system_state, "read", fail)
    plain, debugged = run("share", "list"), run("--debug", "share", "list")

    assert plain.exit_code == 1
    assert "unexpected ZeroDivisionError: by design" in plain.stderr
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debugged.stderr


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_says_what_to_do_next(code: str) -> None:
    text = next_step(ERRORS[code]("it happened", share_id="s1"), "share list")

    assert "{" not in text
    assert text or code in ("error", "moved")


def test_brackets_in_an_error_are_not_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    error = InvalidRequest("name: '[/red]' is [bold]bad[/]")

    Output().print_error(error, "share create")

    assert "name: '[/red]' is [bold]bad[/]" in capsys.readouterr().err


# -- output --------------------------------------------------------------------------------------
def test_a_share_is_shown_with_its_mount_command_and_the_world_beside_its_rule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rule = AccessRule(id="r-1", access_type="ip", access_to="0.0.0.0/0", state="active")
    nfs = ExportLocation(path="10.0.0.1:/s-1", options="vers=4.1")
    local = ExportLocation(path="/srv/s-1")
    share = Share(id="s-1", size=1, access_rules=(rule,), export_locations=(nfs, local))

    document = share_document(share)
    mounts = [location["mount"] for location in document["export_locations"]]
    assert mounts == ["mount -t nfs -o vers=4.1 10.0.0.1:/s-1 /mnt/s-1", None]
    assert document["access_rules"][0]["world"] is True
    print_share(Session(Options()), share)
    printed = capsys.readouterr().out
    assert "mount -t nfs -o vers=4.1 10.0.0.1:/s-1 /mnt/s-1" in printed
    assert "0.0.0.0/0 (world)" in printed


def test_a_share_is_printed_with_the_ids_and_reasons_of_its_rules_and_snapshots(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rule = AccessRule(
        id="r-1", access_type="ip", access_to="10.0.0.1", state="error", reason="[no] such net"
    )
    snapshot = Snapshot(id="n-1", share_id="s-1", name="then", status="error", reason="disk full")
    share = Share(id="s-1", size=1, access_rules=(rule,), snapshots=(snapshot,))

    print_share(Session(Options()), share)

    lines = capsys.readouterr().out.splitlines()
    assert "r-1   ip    10.0.0.1  rw     error  [no] such net" in lines
    assert any(line.split()[:5] == ["n-1", "then", "0", "error", "disk"] for line in lines)
    document = share_document(share)
    rule_document = document["access_rules"][0]
    assert (rule_document["id"], rule_document["reason"]) == ("r-1", "[no] such net")
    assert document["snapshots"][0]["reason"] == "disk full"


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "share", "0 shares"),
        (1, "share", "1 share"),
        (2, "share server", "2 share servers"),
        (1, "process", "1 process"),
        (3, "process", "3 processes"),
    ],
)
def test_a_count_has_its_noun_in_the_singular_or_plural(number: int, noun: str, text: str) -> None:
    assert count(number, noun) == text


# -- input ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "value"), [("10", 10), ("-1", -1), ("1.5", 1.5), ("abc", "abc"), ("", ""), ("²", "²")]
)
def test_a_size_is_parsed_if_it_is_a_number_and_validated_elsewhere(
    text: str, value: object
) -> None:
    assert parse_number(text) == value


def test_a_size_of_thousands_of_digits_does_not_crash() -> None:
    assert parse_number("9" * 5000) == float("inf")


def test_pairs_are_keys_and_values() -> None:
    assert parse_pairs(["a=1", "b=x=y", "c="], "metadata") == {"a": "1", "b": "x=y", "c": ""}
    assert parse_pairs(None, "metadata") == {}


def test_an_item_without_an_equals_sign_is_refused_with_the_name_of_its_option() -> None:
    with pytest.raises(InvalidRequest, match="'novalue' is not KEY=VALUE") as caught:
        parse_pairs(["novalue"], "spec")

    assert (caught.value.field, caught.value.value) == ("spec", "novalue")


# -- configuration -------------------------------------------------------------------------------
def test_config_show_names_the_source_of_each_setting(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "site.toml").write_text("[log]\nlock_timeout_s = 7\n[hosting]\nmin_actors = 1\n")
    monkeypatch.setenv("SHARE_ACTORS_HOSTING__MIN_ACTORS", "2")
    result = run("--json", "--config", str(home / "site.toml"), "config", "show")
    items = json.loads(result.stdout)["settings"]
    settings = {item["key"]: (item["value"], item["from"]) for item in items}

    assert settings["log.lock_timeout_s"] == (7, str(home / "site.toml"))
    assert settings["hosting.min_actors"] == (2, "environment, SHARE_ACTORS_HOSTING__MIN_ACTORS")
    assert settings["log.kind"] == ("sqlite", "default")
    assert settings["log.path"] == (str(home / "log.db"), "default")


def test_secrets_are_never_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARE_ACTORS_LOG__PASSWORD", "hunter2")

    assert "hunter2" not in run("config", "show").stdout


def test_config_check_names_the_key_that_is_wrong(home: Path) -> None:
    (home / "a.toml").write_text('[backends.b]\ndriver = "no-such"\n')
    (home / "b.toml").write_text("[hosting]\nmin_actors = 0\n")

    for file, key in (("a.toml", "backends.b.driver"), ("b.toml", "hosting.min_actors")):
        result = run("--json", "config", "check", str(home / file))
        assert result.exit_code == 4
        assert error_of(result)["field"] == key


def test_config_check_reports_its_results_and_creates_nothing(home: Path) -> None:
    document = json.loads(run("config", "check", "--json").stdout)

    assert (document["ok"], document["events"]) == (True, None)
    assert document["backends"] == {"local": "local"}
    assert "The log (sqlite) will be created at the first start." in run("config", "check").stdout
    assert list(home.iterdir()) == []


def test_config_check_refuses_what_could_not_start(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").touch()
    (home / "log.db").write_text("no log")
    damaged_log = run("config", "check", "--json")
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(home / "file" / "below"))
    impossible_home = run("config", "check", "--json")

    assert (damaged_log.exit_code, error_of(damaged_log)["field"]) == (12, "log.path")
    assert (impossible_home.exit_code, error_of(impossible_home)["field"]) == (4, "home")


def test_config_check_with_backends_also_sets_them_up(home: Path) -> None:
    (home / "file").touch()
    options = f'options = {{ root = "{home}/file/below" }}'
    (home / "c.toml").write_text(f'[backends.b]\ndriver = "local"\n{options}\n')

    assert run("config", "check", str(home / "c.toml")).exit_code == 0
    assert run("config", "check", str(home / "c.toml"), "--backends").exit_code == 11


def test_config_check_starts_no_daemon(home: Path) -> None:
    options = f'options = {{ directory = "{home}/state", daemon = true }}'
    (home / "c.toml").write_text(f'[backends.b]\ndriver = "dummy"\n{options}\n')

    checked = run("config", "check", str(home / "c.toml"), "--backends")

    assert checked.exit_code == 0
    assert "backend 'b' is not started: `up` starts it" in checked.output
    assert not (home / "state").exists()


# -- the running system --------------------------------------------------------------------------
def test_the_recorded_system_can_be_read_until_it_is_forgotten(tmp_path: Path) -> None:
    state = SystemState(namespace="n", address="127.0.0.1:1", pid=1, created=2.0, token="/t")

    assert system_state.read(tmp_path) is None
    system_state.write(tmp_path, state)
    assert system_state.read(tmp_path) == state
    system_state.delete(tmp_path)
    system_state.delete(tmp_path)
    assert system_state.read(tmp_path) is None


def test_a_state_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    system_state.path(tmp_path).write_text("{")

    with pytest.raises(ConfigError, match=r"system\.json can't be read"):
        system_state.read(tmp_path)


def test_a_later_process_with_the_same_id_is_a_different_process() -> None:
    me = psutil.Process()

    assert system_state.same_process(me.pid, me.create_time())
    assert not system_state.same_process(me.pid, me.create_time() - 60)
    assert ray_process.session_processes(me.pid, me.create_time() - 60) == []


def test_the_address_auto_leads_to_the_system_in_the_users_home(home: Path) -> None:
    me = psutil.Process()
    state = SystemState(
        namespace="n", address="127.0.0.1:7", pid=me.pid, created=me.create_time(), token="/t"
    )
    system_state.write(home, state)

    assert system_state.resolve_address("auto") == ("127.0.0.1:7", state.environment)
    assert system_state.resolve_address("10.0.0.1:6379") == ("10.0.0.1:6379", {})
    system_state.write(home, state.replace(created=1.0))
    with pytest.raises(Unavailable, match="no system is running"):
        system_state.resolve_address("auto")


def test_a_lock_of_up_that_stays_taken_is_an_error_that_names_its_holder(tmp_path: Path) -> None:
    (tmp_path / "up.lock").touch(mode=0o644)  # as an earlier version created it

    with (
        ray_process.locked(tmp_path),
        pytest.raises(Unavailable, match=f"process {os.getpid()} has been holding") as error,
        ray_process.locked(tmp_path, timeout_s=0.1),
    ):
        pass
    assert (error.value.field, error.value.value) == ("home", str(tmp_path))
    assert stat.S_IMODE((tmp_path / "up.lock").stat().st_mode) == 0o600
    with ray_process.locked(tmp_path, timeout_s=0.1):
        pass


def test_stopping_a_head_ends_its_session_and_nothing_else(tmp_path: Path) -> None:
    directory = tmp_path / "ray"
    directory.mkdir()
    bystander = subprocess.Popen(["sleep", "60"])
    head = subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60 & wait"], start_new_session=True)
    created = psutil.Process(head.pid).create_time()
    state = SystemState(namespace="n", pid=head.pid, created=created, directory=str(directory))
    try:
        while len(session := ray_process.session_processes(head.pid, created)) < 3:
            pass
        # the head passes no signal on to its two sleepers
        killed = ray_process.stop_ray(state, timeout_s=1.0)
        assert [name.partition(" ")[0] for name in killed] == ["sleep", "sleep"]
        assert ray_process.stop_ray(state) == []
        assert all(ray_process.has_ended(process) for process in session)
        assert bystander.poll() is None
        assert not directory.exists()
    finally:
        bystander.kill()
        bystander.wait()
        head.wait()


def test_a_process_that_a_head_starts_as_it_ends_is_waited_for_and_not_killed() -> None:
    script = "sleep 60 & child=$!; trap 'kill $child; sleep 1 & exit' TERM; wait"
    head = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    created = psutil.Process(head.pid).create_time()
    try:
        while len(ray_process.session_processes(head.pid, created)) < 2:
            pass
        state = SystemState(namespace="n", pid=head.pid, created=created)

        assert ray_process.stop_ray(state, timeout_s=60.0) == []
        assert all(map(ray_process.has_ended, ray_process.session_processes(head.pid, created)))
    finally:
        head.wait()


def test_an_agent_that_goes_on_after_its_head_has_ended_is_ended_without_waiting_for_it() -> None:
    agent = "trap '' TERM; exec -a ray::RuntimeEnvAgent sleep 600"
    script = f'bash -c "{agent}" & trap exit TERM; while true; do sleep 0.1; done'
    head = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    created = psutil.Process(head.pid).create_time()
    state = SystemState(namespace="n", pid=head.pid, created=created)

    def session() -> list[psutil.Process]:
        found = ray_process.session_processes(head.pid, created)
        return [process for process in found if not ray_process.has_ended(process)]

    try:
        while not any(process.cmdline()[:1] == ["ray::RuntimeEnvAgent"] for process in session()):
            pass
        assert ray_process.stop_ray(state, timeout_s=300.0) == []
        assert session() == []
    finally:
        ray_process.kill_session(head.pid, created)
        head.wait()


def test_every_field_of_a_share_is_printed_but_those_for_drivers() -> None:
    told_to_drivers = {name for name, field in Share.model_fields.items() if field.exclude}

    assert told_to_drivers == {"extra_specs"}
    assert sorted(SHARE_FIELDS) == sorted(Share.model_fields.keys() - told_to_drivers)


# -- what the check of a configuration warns of ----------------------------------------------------
@pytest.mark.usefixtures("home")
def test_the_check_of_a_configuration_warns_of_a_root_that_users_cannot_reach(
    tmp_path: Path,
) -> None:
    closed, file = tmp_path / "closed", tmp_path / "site.toml"
    closed.mkdir(0o700)
    file.write_text(f'[backends.b]\ndriver = "local"\noptions = {{ root = "{closed}/root" }}\n')

    checked = run("config", "check", str(file), "--json")

    assert checked.exit_code == 0
    [warning] = json.loads(checked.stdout)["warnings"]
    assert warning.startswith("backends.b.options.root: users of shares cannot pass through /")
    assert "Warning: backends.b.options.root" in run("config", "check", str(file)).stderr
