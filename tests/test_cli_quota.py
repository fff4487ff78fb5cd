"""`share-actors quota`: what is shown, set and removed, and how limits below what is used are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors.cli.commands import quota
from share_actors.cli.session import Options, Session
from share_actors.errors import InvalidRequest, NotFound
from share_actors.testing import sync_system
from share_actors.testing.in_process.system import SyncInProcessSystem
from tests.actors.in_process import config


@pytest.fixture
def system(tmp_path: Path) -> Iterator[SyncInProcessSystem]:
    with sync_system(config(tmp_path)) as running:
        yield running


def session(running: SyncInProcessSystem, **options: Any) -> Session:
    made = Session(Options(**options))
    made.__dict__["system"] = running
    return made


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_limits_are_set_shown_listed_and_removed(
    system: SyncInProcessSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    as_json = session(system, json=True)
    quota.set_quota(as_json, project="web", shares=5, gigabytes=-1)
    shown = printed(capsys)["quotas"]
    assert shown["shares"] == {"limit": 5, "used": 0, "reserved": 0}
    assert next(iter(shown)) == "shares"

    quota.list_quotas(as_json)
    [listed] = printed(capsys)["quotas"]
    assert listed["limits"][0]["limits"] == {"shares": 5, "gigabytes": -1}

    quota.unset(as_json, ["shares"], project="web")
    assert printed(capsys)["quotas"]["shares"]["limit"] == -1


def test_a_table_has_what_is_used_and_the_limit(
    system: SyncInProcessSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    system.create_share(size=3)
    quota.set_quota(session(system), gigabytes=2)

    out, err = capsys.readouterr()
    assert ["gigabytes", "3", "0", "2"] in [line.split() for line in out.splitlines()]
    assert ["shares", "1", "0", "unlimited"] in [line.split() for line in out.splitlines()]
    assert "gigabytes: 3 are used, which is more than 2" in err


def test_the_limits_of_users_and_the_default_are_named_in_the_list(
    system: SyncInProcessSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    quota.set_quota(session(system), default=True, shares=9)
    quota.set_quota(session(system), project="web", user="bob", shares=1)
    capsys.readouterr()

    quota.list_quotas(session(system))

    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["web", "bob", "shares", "1"] in [[cell for cell in row if cell != "-"] for row in rows]
    assert any(row[0] == "(default)" and row[-1] == "9" for row in rows)


def test_who_set_limits_is_in_the_history(
    system: SyncInProcessSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    quota.set_quota(session(system), project="web", shares=5)
    quota.history(session(system), project="web")

    assert "set the limits of project web to shares = 5" in " ".join(
        capsys.readouterr().out.split()
    )
    with pytest.raises(NotFound, match="no limits were ever set for project 'ops'"):
        quota.history(session(system), project="ops")


def test_the_default_is_not_of_a_project(system: SyncInProcessSystem) -> None:
    with pytest.raises(InvalidRequest, match="goes without --project"):
        quota.set_quota(session(system), project="web", default=True, shares=1)
    with pytest.raises(InvalidRequest, match="name at least one quota"):
        quota.set_quota(session(system), project="web")
