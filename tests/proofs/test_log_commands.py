"""`log verify`, `log checkpoint` and `log prove` on a log without a running system."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from share_actors.cli.exit_codes import DIFFERS
from share_actors.events.checkpoints import check_bundle
from tests.command_tree import invoke
from tests.proofs import logs
from tests.proofs.logs import tampered, write_log

Cli = Callable[..., Any]


class Home:
    """A system's home with a log, and the command line in it."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.log, self.audit = path, path / "log.db", path / "audit"
        monkeypatch.setenv("SHARE_ACTORS_HOME", str(path))
        monkeypatch.setenv("SHARE_ACTORS_AUDIT__CHECKPOINTS", str(self.audit))
        write_log(self.log, 300)

    def run(self, *arguments: str, code: int = 0) -> str:
        result = invoke(list(arguments))
        assert result.exit_code == code, result.output
        return result.output

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(tmp_path, monkeypatch)


def test_a_log_is_verified_against_its_newest_checkpoint(home: Home) -> None:
    assert "share-actors/share-actors" in home.run("log", "checkpoint")
    report = home.json("log", "verify")
    assert (report["ok"], report["covered"], report["not_verified"]) == (True, 300, [])
    assert "The log of 300 events shows no change." in home.run("log", "verify")


def test_an_edited_event_is_named_with_its_share_and_an_exit_code(home: Home) -> None:
    home.run("log", "checkpoint")
    expected = tampered(home.log, logs.edit, 1)
    report = home.json("log", "verify", code=DIFFERS)
    [finding] = report["findings"]
    share = expected.streams[0].removeprefix("share-")
    assert (finding["position"], finding["share"]) == (expected.position, share)
    text = home.run("log", "verify", code=DIFFERS)
    assert f"{expected.position}" in text
    assert "The log of 300 events was changed." in text


def test_without_a_checkpoint_it_says_what_was_not_verified(home: Home) -> None:
    report = home.json("log", "verify")
    assert report["ok"]
    assert "there is no checkpoint" in report["not_verified"][0]


def test_a_copied_log_is_verified_with_a_copied_checkpoint_and_nothing_is_written(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = home.json("log", "checkpoint")["public_key"]
    copy = tmp_path / "copy"
    shutil.copytree(home.audit, copy)
    shutil.copy(home.log, copy / "copied.db")
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.delenv("SHARE_ACTORS_AUDIT__CHECKPOINTS")
    before = sorted(copy.rglob("*"))
    files = ("--log", str(copy / "copied.db"), "--checkpoint", str(copy / "checkpoint"))
    report = home.json("log", "verify", *files, "--key", public)
    assert (report["covered"], report["not_verified"]) == (300, [])
    unsure = home.json("log", "verify", *files)
    assert "taken from beside the checkpoint" in unsure["not_verified"][0]
    assert sorted(copy.rglob("*")) == before


def test_a_wrong_key_and_files_of_other_kinds_are_named(home: Home, tmp_path: Path) -> None:
    home.run("log", "checkpoint")
    other = tmp_path / "text"
    other.write_text("no log")
    wrong = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert "has not signed it" in home.run("log", "verify", "--key", wrong, code=3)
    assert "NAME+ID+BASE64" in home.run("log", "verify", "--key", str(other), code=3)
    assert "not a signed note" in home.run("log", "verify", "--checkpoint", str(other), code=3)
    assert "No such file" in home.run("log", "verify", "--checkpoint", "/nowhere", code=3)
    assert "is not a database; name the file" in home.run(
        "log", "verify", "--log", str(other), code=12
    )
    assert "is a directory" in home.run("log", "verify", "--log", str(tmp_path), code=12)


def test_a_proof_of_an_event_is_checked_by_one_file_alone(home: Home, tmp_path: Path) -> None:
    public = home.json("log", "checkpoint")["public_key"]
    bundle = json.loads(home.run("log", "prove", "42"))
    assert "position 42" in checked(bundle, public, tmp_path)
    bundle["event"]["state"] = base64.b64encode(b"{}").decode()
    assert "it was changed" in checked(bundle, public, tmp_path)


def test_a_proof_of_growth_is_checked_by_one_file_alone(home: Home, tmp_path: Path) -> None:
    old = tmp_path / "old"
    document = home.json("log", "checkpoint")
    old.write_text(document["checkpoint"])
    write_log(home.log, 77, seed=2)
    home.run("log", "checkpoint")
    bundle = json.loads(home.run("log", "prove", "--from", str(old)))
    assert "begins with all 300 events" in checked(bundle, document["public_key"], tmp_path)
    bundle["proof"][1] = bundle["proof"][0]
    assert "NOT proven" in checked(bundle, document["public_key"], tmp_path)


@pytest.mark.parametrize("bundle", [None, [], {}, {"kind": "inclusion"}, {"kind": 3}, "text"])
def test_what_is_no_bundle_is_not_proven(home: Home, tmp_path: Path, bundle: Any) -> None:
    public = home.json("log", "checkpoint")["public_key"]
    assert "NOT proven: it is not a bundle" in checked(bundle, public, tmp_path)


def checked(bundle: Any, key: str, directory: Path) -> str:
    """What the copied verifier prints in a directory without the package."""
    shutil.copy(check_bundle.__file__, directory / "check.py")
    (directory / "bundle.json").write_text(json.dumps(bundle))
    result = subprocess.run(
        [sys.executable, "-P", "check.py", "bundle.json", "--key", key],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout + result.stderr


def test_a_changed_log_yields_no_proof(home: Home) -> None:
    home.run("log", "checkpoint")
    tampered(home.log, lambda c, rows, chance: logs.edit(c, rows[:10], chance), 1)
    assert "no proof" in home.run("log", "prove", "42", code=7)
    tampered(home.log, lambda c, rows, chance: logs.truncate(c, rows[50:], chance), 1)
    assert "shorter than its checkpoint" in home.run("log", "prove", "20", code=7)


def test_a_position_that_is_not_covered_is_named(home: Home) -> None:
    assert "cannot be read" not in home.run("log", "checkpoint")
    assert "position 301" in home.run("log", "prove", "301", code=5)
    assert "either a POSITION" in home.run("log", "prove", code=3)


def test_config_check_says_what_it_verified_and_what_not(home: Home) -> None:
    assert "Not verified: that no event was edited" in home.run("config", "check")
    home.run("log", "checkpoint")
    text = home.run("config", "check")
    assert "Verified: the signature of the checkpoint of 300 events" in text
    assert "Not verified: the events before it" in text
    tampered(home.log, logs.truncate, 1)
    warnings = home.json("config", "check")["warnings"]
    assert "the log lacks the last event of its checkpoint" in "".join(warnings)


def test_config_check_refuses_an_unusable_key_and_directory(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.path / "checkpoint.key").write_text("nonsense")
    assert "not a key for checkpoints" in home.run("config", "check", code=4)
    monkeypatch.setenv("SHARE_ACTORS_AUDIT__CHECKPOINTS", "relative")
    assert "is not an absolute path" in home.run("config", "check", code=4)
