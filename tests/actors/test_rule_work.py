"""Changes of access rules as calls of a driver, and the outcome of each rule."""

from typing import Any

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.rule_updates import RuleChange
from share_actors.events.attempts import ReportFailure
from share_actors.events.share.access import ApplyRules, ConfirmRules
from share_actors.events.share.rules import Rules
from share_actors.values import AccessRule
from tests.actors.scripted_driver import STATE, outcome


def rule(i: str, state: Any = "queued") -> AccessRule:
    return AccessRule(id=i, access_type="user", access_to=i, state=state)


APPLY = ApplyRules(add=(rule("new1"), rule("new2")), delete=(rule("old", "denying"),))
RULES = Rules().with_rules(rule("kept", "active"), *APPLY.add, *APPLY.delete)
WITH_RULES = STATE.replace(rules=RULES)


def test_rules_are_applied_and_removed_in_one_call(script: dict[str, Any]) -> None:
    command, calls = outcome(APPLY, WITH_RULES)

    assert command == ConfirmRules(applied=("new1", "new2"), removed=("old",))
    assert calls == [("update_access", (("kept", "new1", "new2"), ("new1", "new2"), ("old",)))]


def test_only_the_rule_that_the_driver_names_fails(script: dict[str, Any]) -> None:
    script["update_access"] = {"new1": "no such user"}

    command, _ = outcome(APPLY, WITH_RULES)

    assert command == ConfirmRules(
        applied=("new2",), removed=("old",), failed={"new1": "no such user"}
    )


def test_the_clients_that_a_change_of_rules_cut_off_are_recorded(script: dict[str, Any]) -> None:
    script["update_access"] = RuleChange(cut_off=("bob at 10.0.0.7",))

    command, _ = outcome(APPLY, WITH_RULES)

    assert isinstance(command, ConfirmRules)
    assert command.cut_off == ("bob at 10.0.0.7",)


def test_of_very_many_clients_that_were_cut_off_the_rest_is_counted(script: dict[str, Any]) -> None:
    script["update_access"] = RuleChange(cut_off=[f"u{n} at 10.0.0.7" for n in range(130)])

    command, _ = outcome(APPLY, WITH_RULES)

    assert isinstance(command, ConfirmRules)
    assert (len(command.cut_off), command.cut_off[-1]) == (101, "30 more")


def test_rules_that_are_refused_together_are_updated_one_by_one(script: dict[str, Any]) -> None:
    def refuse(desired: tuple[str, ...], add: tuple[str, ...], delete: tuple[str, ...]) -> None:
        if "new1" in desired:
            raise DriverError("no such user")

    script["update_access"] = refuse

    command, calls = outcome(APPLY, WITH_RULES)

    assert command == ConfirmRules(
        applied=("new2",), removed=("old",), failed={"new1": "no such user"}
    )
    assert [args for _, args in calls[1:]] == [
        (("kept",), (), ("old",)),
        (("kept", "new1"), ("new1",), ()),
        (("kept", "new2"), ("new2",), ()),
    ]


def test_a_transient_failure_of_rules_is_retried_for_all_of_them(script: dict[str, Any]) -> None:
    script["update_access"] = TransientError("not now")

    command, calls = outcome(APPLY, WITH_RULES)

    assert isinstance(command, ReportFailure)
    assert command.kind == "transient"
    assert len(calls) == 1


def test_a_rule_that_cannot_be_removed_fails_the_deletion_of_the_share(
    script: dict[str, Any],
) -> None:
    script["update_access"] = {"old": "busy"}
    removal = ApplyRules(add=(), delete=(rule("old"),), cascade=True)

    command, _ = outcome(removal, WITH_RULES)

    assert command == ReportFailure(kind="failed", reason="busy")
