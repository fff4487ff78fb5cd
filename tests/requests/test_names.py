"""Snapshots by their names, and access rules by their clients."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.cli.snapshots import RuleName, meant_rule
from share_actors.client import ShareSystem
from share_actors.errors import Ambiguous, InvalidRequest, NotFound
from share_actors.values import AccessRule, RequestContext
from tests.requests.conftest import Run, document
from tests.tenants.callers import Blue


def rule(rule_id: str, kind: Any, to: str, state: Any = "active") -> AccessRule:
    return AccessRule(id=rule_id, access_type=kind, access_to=to, state=state)


RULES = (
    rule("r1", "user", "alice"),
    rule("r2", "ip", "10.0.0.7"),
    rule("r3", "cert", "web"),
    rule("r4", "user", "web"),
    rule("r5", "user", "bob", "denying"),
    rule("r6", "user", "bob"),
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (RuleName("any", None, None), "any"),
        (RuleName(None, "alice", None), "r1"),
        (RuleName(None, "10.0.0.7/32", None), "r2"),
        (RuleName(None, "web", "cert"), "r3"),
        (RuleName(None, "bob", "user"), "r6"),
    ],
)
def test_a_rule_is_found_by_its_id_or_its_client(name: RuleName, found: str) -> None:
    assert meant_rule(RULES, name.check()) == found


def test_a_rule_that_is_being_removed_is_found_if_there_is_no_other() -> None:
    assert meant_rule(RULES[4:5], RuleName(None, "bob", None)) == "r5"


def test_several_rules_of_a_client_are_listed() -> None:
    with pytest.raises(Ambiguous, match=r"add --type, or use the id: cert web \(r3\), user web"):
        meant_rule(RULES, RuleName(None, "web", None))


@pytest.mark.parametrize("name", [RuleName(None, "eve", None), RuleName(None, "alice", "ip")])
def test_a_client_without_a_rule_is_not_found(name: RuleName) -> None:
    with pytest.raises(NotFound, match="there is no access rule for"):
        meant_rule(RULES, name)


@pytest.mark.parametrize("name", [RuleName(None, None, None), RuleName("r1", "alice", None)])
def test_a_rule_is_named_in_one_way(name: RuleName) -> None:
    with pytest.raises(InvalidRequest, match="by its id or by its client"):
        name.check()


def test_access_is_denied_to_a_client(system: ShareSystem, blue: Blue, cli: Run) -> None:
    share, rule_id = blue.ruled()

    result = cli(f"access deny {share} --to alice --json")

    assert (result.exit_code, document(result)["id"]) == (0, rule_id)
    assert system.share(share).access_rules == ()


def test_access_to_a_snapshot_is_denied_by_names(system: ShareSystem, blue: Blue, cli: Run) -> None:
    share = system.share(blue.share())
    share.create_snapshot("by-name")
    cli("snapshot allow by-name --to alice")

    result = cli("snapshot deny by-name --to alice")

    assert result.exit_code == 0, result.output
    assert share.refresh().snapshots[0].access_rules == ()


def test_a_snapshot_is_shown_by_its_name(system: ShareSystem, blue: Blue, cli: Run) -> None:
    snapshot = system.share(blue.share()).create_snapshot("shown")

    result = cli("snapshot show shown --json")

    assert document(result)["id"] == system.snapshot("shown").id == snapshot.id


def test_a_name_of_two_snapshots_is_ambiguous_and_tells_both(
    system: ShareSystem, blue: Blue, cli: Run
) -> None:
    ids = {system.share(blue.share()).create_snapshot("twice").id for _ in range(2)}

    result = cli("snapshot delete twice --json")

    assert result.exit_code == Ambiguous.exit_code
    assert set(document(result)["error"]["details"]["ids"]) == ids


def test_a_snapshot_of_ones_own_project_goes_before_those_of_others(
    system: ShareSystem, blue: Blue
) -> None:
    green = system.as_user(RequestContext(user_id="gus", project_id="green"))
    own = green.create_share(size=1, backend="d").create_snapshot("weekly")
    system.share(blue.share()).create_snapshot("weekly")

    assert green.snapshot("weekly").id == own.id


def test_a_share_is_reverted_to_a_snapshot_by_its_name(
    system: ShareSystem, blue: Blue, cli: Run
) -> None:
    share = system.share(blue.share())
    share.create_snapshot("latest")

    result = cli(f"share revert {share.id} latest")

    assert result.exit_code == 0, result.output
    assert cli(f"share revert {share.id} unknown").exit_code == NotFound.exit_code
