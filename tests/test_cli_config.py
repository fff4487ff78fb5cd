"""`share-actors config`: what it shows, and what its check finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from share_actors.drivers.registry import drivers_registered
from tests.cli_home import error_of, home, run
from tests.drivers.whole import WholeDriver

__all__ = ["home"]


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


@pytest.mark.parametrize(
    ("stats", "reason"),
    [
        ({"pools": []}, "get_share_stats reports no pools: no share can be placed on it"),
        ("fine", "get_share_stats: 'fine' is not a statistics mapping"),
        (ZeroDivisionError("no disks"), "its driver raised ZeroDivisionError('no disks')"),
    ],
)
def test_config_check_with_backends_refuses_one_on_which_no_share_can_be_placed(
    home: Path, stats: object, reason: str
) -> None:
    checked = check_reporting(home, stats)

    assert checked.exit_code == 11
    assert error_of(checked)["message"] == f"backend 'b' is not ready: {reason}"


def test_config_check_with_backends_warns_of_statistics_that_are_replaced(home: Path) -> None:
    checked = check_reporting(home, {"total_capacity_gb": 10})

    (warning,) = json.loads(checked.stdout)["warnings"]
    assert warning == (
        "backend 'b': get_share_stats: free_capacity_gib: is missing; 'unknown' is used"
    )


def check_reporting(home: Path, stats: object) -> Result:
    """The check of a backend whose driver reports, or raises, *stats*."""

    class Reporting(WholeDriver):
        def get_share_stats(self, refresh: bool = False) -> Any:
            if isinstance(stats, Exception):
                raise stats
            return stats

    (home / "c.toml").write_text('[backends.b]\ndriver = "reporting"\n')
    with drivers_registered({"reporting": Reporting}):
        result: Result = run("--json", "config", "check", str(home / "c.toml"), "--backends")
    return result


def test_config_check_starts_no_daemon(home: Path) -> None:
    options = f'options = {{ directory = "{home}/state", daemon = true }}'
    (home / "c.toml").write_text(f'[backends.b]\ndriver = "dummy"\n{options}\n')

    checked = run("config", "check", str(home / "c.toml"), "--backends")

    assert checked.exit_code == 0
    assert "backend 'b' is not started: `up` starts it" in checked.output
    assert not (home / "state").exists()


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
