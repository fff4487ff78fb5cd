"""Each promise of the driver contract is broken by a mutant, and the failure says which and how."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from share_actors.testing.contracts.driver import DriverContract
from share_actors.testing.contracts.expectations import promise_of
from share_actors.testing.contracts.promises import PROMISES
from share_actors.testing.contracts.server import ServerContract
from tests.storage.contract_runs import Outcomes, outcomes

MODULE = Path(__file__).with_name("contract_mutants.py")


class Broken(NamedTuple):
    """What must see a mutant."""

    mutant: str
    test: str
    seen: str
    """A part of what the failure says was seen."""
    true: str = "TrueDriver"
    """The class that runs the contract on no mutant."""


BROKEN = {
    "complete-class": Broken(
        "NoCallsAtOnce", "test_the_class_has_what_a_system_needs", "is 0, not"
    ),
    "true-statistics": Broken(
        "HidesSnapshots",
        "test_stats_are_of_this_backend_and_match_what_the_driver_supports",
        "False",
    ),
    "export-paths": Broken(
        "OnePathForAll", "test_two_shares_have_different_export_paths", "{'dummy:/all'}"
    ),
    "repeat-setup": Broken(
        "ForgetsAtSetUp", "test_setting_up_the_backend_again_changes_nothing", "state='absent'"
    ),
    "repeat-create": Broken(
        "PathOfAttempt", "test_creating_a_share_again_returns_the_same_exports", "/2'"
    ),
    "repeat-delete": Broken(
        "DeletesOnce", "test_deleting_a_share_again_succeeds", "does not exist"
    ),
    "repeat-ensure": Broken(
        "MovesWhenEnsured", "test_ensuring_a_share_keeps_its_exports", "ExportLocation"
    ),
    "repeat-resize": Broken(
        "GrowsOnce", "test_resizing_a_share_again_succeeds[extend_share-3]", "it has that size"
    ),
    "repeat-snapshot": Broken(
        "DeletesSnapshotsOnce", "test_deleting_a_snapshot_again_succeeds", "does not exist"
    ),
    "repeat-copy": Broken(
        "CopiesOnce",
        "test_creating_a_share_from_a_snapshot_again_returns_the_same_exports",
        "it exists",
    ),
    "repeat-revert": Broken(
        "OpensWhenReverted",
        "test_a_reverted_share_has_its_size_rules_and_exports_as_before",
        "access=frozenset()",
    ),
    "repeat-rules": Broken(
        "DeniesOnce", "test_denying_a_rule_that_was_never_allowed_succeeds", "there is no rule"
    ),
    "concurrent-calls": Broken(
        "OneAtATime", "test_threads_can_create_and_delete_shares_concurrently", "1"
    ),
    "death-at-any-step": Broken(
        "HalfMade",
        "test_creating_a_share_can_be_repeated_after_a_crash_at_any_step",
        "its creation was interrupted",
    ),
    "nothing-left-behind": Broken(
        "LeavesFiles",
        "test_a_crash_leaves_nothing_of_a_share_that_a_probe_calls_absent[create_share]",
        "working-",
    ),
    "late-calls-refused": Broken(
        "ForgetsTokens", "test_a_late_call_is_refused[create]", "that it succeeded"
    ),
    "rules-one-by-one": Broken(
        "AllOrNone", "test_an_unsupported_rule_does_not_block_the_others", "telepathy"
    ),
    "rules-as-asked": Broken(
        "DeniesNothing", "test_a_denied_rule_can_be_allowed_again_in_the_same_call", "'rw'"
    ),
    "snapshot-rules": Broken(
        "ExportsSnapshotsToNobody",
        "test_a_snapshot_has_export_paths_while_it_has_rules",
        "dummy:/",
    ),
    "no-shrink-below-use": Broken(
        "ShrinksAlways",
        "test_shrinking_below_what_is_used_is_refused_and_changes_nothing",
        "that it succeeded",
        "TrueDriverWithUse",
    ),
    "probe-of-shares": Broken(
        "AlwaysWhole",
        "test_a_share_is_absent_before_its_creation_and_after_its_deletion",
        "'whole'",
    ),
    "probe-of-snapshots": Broken(
        "SeesNoSnapshots", "test_a_probe_reports_the_existing_snapshots", "{}"
    ),
    "probe-of-rules": Broken(
        "SeesNoRules", "test_a_probe_reports_the_applied_access_rules", "frozenset()"
    ),
    "probe-changes-nothing": Broken(
        "CreatesByProbe", "test_probing_changes_nothing", "state='whole'"
    ),
    "list-of-all": Broken(
        "ListsNothing",
        "test_a_share_is_listed_with_its_size_exports_and_rules_until_it_is_deleted",
        "set()",
    ),
    "strays-spared": Broken(
        "TidiesUp", "test_strays_beside_our_files_stay_during_the_life_of_a_share", "~"
    ),
    "one-system": Broken(
        "NamesNoDirectory",
        "test_a_second_system_on_the_same_storage_is_refused_naming_the_holder",
        "that it succeeded",
    ),
    "daemons-restart": Broken(
        "ForgetsRulesAtStart",
        "test_a_backend_that_was_stopped_twice_and_started_serves_the_same_exports_and_rules",
        "access=frozenset()",
        "TrueDriverWithADaemon",
    ),
    "repeat-server": Broken(
        "NewDetails",
        "test_a_server_set_up_again_has_the_same_details",
        "dummy_server",
        "TrueDriverWithServers",
    ),
    "server-holds-shares": Broken(
        "TearsDownShares",
        "test_a_server_with_shares_is_not_torn_down",
        "that it succeeded",
        "TrueDriverWithServers",
    ),
    "late-server-calls-refused": Broken(
        "ForgetsTokensOfServers",
        "test_a_late_call_for_a_server_or_a_share_on_it_is_refused",
        "that it succeeded",
        "TrueDriverWithServers",
    ),
}
"""By promise, the mutant that breaks it."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """The outcomes on each mutant, and on no mutant, of the test that must see it."""
    report = tmp_path_factory.mktemp("mutants") / "report.xml"
    both = [(f"Test{name}", b.test) for b in BROKEN.values() for name in (b.mutant, b.true)]
    return outcomes(MODULE, both, report)


@pytest.mark.parametrize("name", PROMISES)
def test_a_driver_that_breaks_a_promise_is_caught_and_told_which(runs: Outcomes, name: str) -> None:
    broken, promise = BROKEN[name], PROMISES[name]
    assert runs[f"Test{broken.true}", broken.test] is None

    failure = runs[f"Test{broken.mutant}", broken.test]

    assert failure is not None
    lines = dict(
        re.findall(r"^E? +(Promise|Tried|Expected|Seen|See): +(.*)$", failure, re.MULTILINE)
    )
    assert f"breaks the promise {name!r} of the driver contract" in failure
    assert lines.keys() == {"Promise", "Tried", "Expected", "Seen", "See"}
    assert lines["Promise"] == promise.text
    assert broken.seen in lines["Seen"]
    assert lines["See"] == f"docs/reference/driver-contract.md#{name}"


def test_every_test_of_the_contracts_is_of_a_promise_and_every_promise_has_one() -> None:
    tests = [
        getattr(contract, name)
        for contract in (DriverContract, ServerContract)
        for name in dir(contract)
        if name.startswith("test_")
    ]
    promises = [promise_of(test) for test in tests]

    assert None not in promises
    assert {promise.name for promise in promises if promise} == set(PROMISES)
