"""`share wait`, `share list --watch` and `share show --watch`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from share_actors.cli.commands.share.watching import differences
from share_actors.cli.targets import exit_code_of
from share_actors.client.share.watching import ShareChange
from share_actors.errors import NotFound, Refused, TimedOut
from share_actors.testing import SyncInProcessSystem
from share_actors.values import AccessRule, ExportLocation, Share, Snapshot
from tests.tenants.callers import NOWHERE

Run = Callable[[str], Any]


def test_waiting_for_one_share_prints_it(system: SyncInProcessSystem, cli: Run) -> None:
    share = system.create_share(size=1, name="one")

    result = cli("share wait one --for available --json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["id"] == share.id


def test_a_deleted_share_is_found_by_its_name(system: SyncInProcessSystem, cli: Run) -> None:
    system.create_share(size=1, name="gone").delete()

    result = cli("share wait gone --for deleted")

    assert result.exit_code == 0
    assert "Share gone: deleted." in result.output


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("error --timeout 0", TimedOut.exit_code),
        ("rule-active=nobody", NotFound.exit_code),
        ("ready", 3),
    ],
)
def test_the_exit_code_says_why_a_wait_ended(
    system: SyncInProcessSystem, cli: Run, condition: str, code: int
) -> None:
    share = system.create_share(size=1)

    assert cli(f"share wait {share.id} --for {condition}").exit_code == code


def test_each_of_several_shares_is_told(system: SyncInProcessSystem, cli: Run) -> None:
    share = system.create_share(size=1, name="here")

    result = cli(f"share wait here {NOWHERE} --for available --json")

    here, missing = json.loads(result.stdout)["results"]
    assert result.exit_code == NotFound.exit_code
    assert (here["target"], here["share"]["id"], here["error"]) == ("here", share.id, None)
    assert (missing["target"], missing["error"]["code"]) == (NOWHERE, "not_found")


def test_several_shares_are_told_to_people_in_lines(system: SyncInProcessSystem, cli: Run) -> None:
    system.create_share(size=1, name="left")

    result = cli("share wait left unknown --for available")

    assert "Share left: available." in result.output
    assert "Not available: unknown: there is no share" in result.output


def test_errors_with_different_codes_lead_to_a_code_of_their_own() -> None:
    assert exit_code_of([NotFound("a"), NotFound("b")]) == 5
    assert exit_code_of([NotFound("a"), Refused("b")]) == 15


def test_a_watch_of_a_share_prints_a_line_for_each_change_and_ends_with_it(
    system: SyncInProcessSystem, cli: Run
) -> None:
    share = system.create_share(size=1, name="watched")
    share.delete()

    result = cli(f"share show {share.id} --watch --json")

    [line] = [json.loads(line) for line in result.stdout.splitlines()]
    assert line["share"]["status"] == "deleted"
    assert line["changed"] == []


def test_a_watch_of_a_list_has_no_pages(cli: Run) -> None:
    result = cli("share list --watch --marker x")

    assert result.exit_code == 3
    assert "--marker cannot be used with --watch" in result.output


def test_differences_are_told_in_words() -> None:
    rule = AccessRule(id="r", access_type="user", access_to="alice", state="queued")
    before = Share(id="s", status="creating", metadata={"a": "1"}, access_rules=(rule,))
    now = before.replace(
        status="available",
        name="data",
        metadata={},
        export_locations=(ExportLocation(path="host:/data"),),
        access_rules=(rule.replace(state="active"),),
        snapshots=(Snapshot(id="n", share_id="s", name="night"),),
    )

    assert differences(ShareChange(now, before)) == [
        "name: - -> data",
        "metadata: a=1 -> -",
        "status: creating -> available",
        "export locations: - -> host:/data",
        "access rule user alice (rw): queued -> active",
        "snapshot night: - -> creating",
    ]
    assert differences(ShareChange(now)) == []


def test_a_rule_that_is_gone_is_told_by_its_client() -> None:
    rule = AccessRule(id="r", access_type="ip", access_to="10.0.0.7", state="denying")
    before = Share(id="s", access_rules=(rule,))

    told = differences(ShareChange(Share(id="s"), before))

    assert told == ["access rule ip 10.0.0.7 (rw): denying -> -"]
