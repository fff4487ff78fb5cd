"""Access rules: what is desired, what is applied, and what is owed while they differ."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.events import share
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.share import access
from share_actors.events.share.access import (
    AccessRulesApplied,
    ApplyRules,
    ConfirmRules,
    DenyAccess,
)
from share_actors.events.share.ensure import Ensure, ReapplyShare, ShareReapplyRequested
from share_actors.events.share.messages import (
    RetryRequested,
    RetryShare,
    ShareDeletionRequested,
    ShareErrored,
    ShareResizeRequested,
)
from share_actors.events.share.rules import Rules
from share_actors.testing import Spec
from tests.events.access_requests import (
    active,
    allow,
    allowed,
    applied,
    applying,
    available,
    broken,
    denied,
    rule,
    states,
)
from tests.events.share_events import began, created, requested


# -- allowing --------------------------------------------------------------------------------------
def test_allowing_access_records_it() -> None:
    available.when(allow("a")).then(allowed("a"))


def test_an_allowed_rule_is_queued_and_owed() -> None:
    spec = available.given(allowed("a"))

    queued = rule("a", "alice", "queued")
    spec.then_state(states, {"a": "queued"})
    spec.then_pending(ApplyRules(add=(queued,), delete=()))


def test_an_active_rule_that_cannot_work_has_a_warning() -> None:
    spec = applying.when(ConfirmRules(applied=("a",), warnings={"a": "/srv is closed"}))

    spec.then(AccessRulesApplied(applied=("a",), warnings={"a": "/srv is closed"}))
    warned = applying.given(AccessRulesApplied(applied=("a",), warnings={"a": "/srv is closed"}))
    warned.then_state(lambda s: s.rules.rules["a"].warning, "/srv is closed")
    warned.given(denied("a"), began("access"), AccessRulesApplied(removed=("a",))).then_state(
        states, {}
    )


def test_the_clients_that_a_denial_cut_off_are_recorded() -> None:
    cut_off = ("alice at 10.0.0.7",)
    denying = active.given(denied("a"), began("access"))

    denying.when(ConfirmRules(removed=("a",), cut_off=cut_off)).then(
        AccessRulesApplied(removed=("a",), cut_off=cut_off)
    )


def test_a_rule_is_applying_while_the_backend_is_asked() -> None:
    applying.then_state(states, {"a": "applying"})


def test_a_rule_that_was_applied_is_active_and_owed_no_more() -> None:
    applying.when(ConfirmRules(applied=("a",))).then(applied("a"))
    active.then_state(states, {"a": "active"})
    active.then_pending(None)


def test_the_same_rule_asked_for_again_comes_to_nothing_new() -> None:
    active.when(allow("b")).then()
    active.when(allow("a")).then()
    assert share.joins(allow("b"), active.state) == "rule/a/allow"


def test_two_ways_to_write_an_address_are_one_client() -> None:
    spec = available.given(allowed("a", "10.0.0.1", "ip"))

    spec.when(allow("b", "10.0.0.1/32", "ip")).then()


def test_another_level_for_the_same_client_is_rejected() -> None:
    active.when(allow("b").replace(access_level="ro")).then_rejected(
        "has the rw rule a .active. already"
    )


def test_an_id_that_another_rule_has_is_rejected() -> None:
    active.when(allow("a", "bob")).then_rejected("access rule a exists already")


def test_a_rule_may_be_asked_for_while_the_share_is_creating() -> None:
    spec = Spec(share).given(requested(), began("create"), allowed("a"))

    spec.then_state(states, {"a": "queued"})
    assert isinstance(share.pending(spec.given(created()).state), ApplyRules)


def test_a_share_that_goes_lets_nobody_in() -> None:
    spec = active.given(ShareDeletionRequested(cascade=False))

    spec.when(allow("b", "bob")).then_rejected("the share is deleting")


def test_a_rule_that_comes_while_others_are_applied_is_owed_after_them() -> None:
    spec = applying.given(allowed("b", "bob"), applied("a"))

    both = (rule("a", "alice", "active"), rule("b", "bob", "queued"))
    spec.then_pending(ApplyRules(add=both[1:], delete=()))


# -- failing ---------------------------------------------------------------------------------------
def test_one_bad_rule_does_not_block_the_others() -> None:
    spec = available.given(allowed("a"), allowed("b", "bob"), began("access"))
    outcome = AccessRulesApplied(applied=("b",), failed={"a": "no such user"})

    spec.when(ConfirmRules(applied=("b",), failed={"a": "no such user"})).then(outcome)
    spec.given(outcome).then_state(states, {"a": "error", "b": "active"})
    spec.given(outcome).then_pending(None)


def test_a_rule_in_error_says_why() -> None:
    spec = applying.given(broken)

    spec.then_state(lambda s: s.rules.rules["a"].reason, "no such user")


def test_when_the_attempt_fails_for_good_the_rules_it_was_about_are_in_error() -> None:
    spec = applying.given(allowed("b", "bob"))

    spec.when(ReportFailure(kind="failed", reason="no answer")).then(
        AccessRulesApplied(failed={"a": "no answer"})
    )


def test_a_retry_owes_again_the_rules_in_error() -> None:
    spec = applying.given(broken)

    spec.when(RetryShare()).then(RetryRequested(works=("rule/a/allow",)))
    spec.when(RetryShare()).then_state(states, {"a": "queued"})


def test_a_retry_leaves_the_attempt_under_way_alone() -> None:
    spec = applying.given(broken, allowed("b", "bob"), began("access"))
    retried = spec.given(RetryRequested(works=("rule/a/allow",)))

    retried.when(ConfirmRules(applied=("b",))).then(applied("b"))
    retried.given(applied("b")).then_state(states, {"a": "queued", "b": "active"})


def test_a_rule_in_error_can_be_denied() -> None:
    applying.given(broken).when(DenyAccess(access_id="a")).then_state(states, {"a": "denying"})


# -- denying ---------------------------------------------------------------------------------------
def test_denying_owes_the_removal() -> None:
    denying = rule("a", "alice", "denying")

    active.when(DenyAccess(access_id="a")).then(denied("a"))
    active.given(denied("a")).then_pending(ApplyRules(add=(), delete=(denying,)))


def test_a_rule_that_was_removed_is_gone() -> None:
    spec = active.given(denied("a"), began("access"), AccessRulesApplied(removed=("a",)))

    spec.then_state(lambda s: s.rules, Rules())
    spec.when(DenyAccess(access_id="a")).then_rejected("no access rule a")


def test_denying_twice_comes_to_nothing_new() -> None:
    active.given(denied("a")).when(DenyAccess(access_id="a")).then()


def test_a_denied_client_may_be_allowed_again_by_another_rule() -> None:
    active.given(denied("a")).when(allow("b")).then(allowed("b"))


def test_a_rule_that_was_denied_while_it_was_applied_is_removed_next() -> None:
    spec = applying.given(denied("a"), applied("a"))

    spec.then_state(states, {"a": "denying"})
    denying = rule("a", "alice", "denying")
    spec.then_pending(ApplyRules(add=(), delete=(denying,)))


@pytest.mark.parametrize(
    "outcome", [ConfirmRules(failed={"a": "no"}), ReportFailure(kind="failed", reason="no")]
)
def test_a_denial_goes_on_although_the_application_it_waited_for_failed(outcome: Any) -> None:
    spec = applying.given(denied("a")).when(outcome)

    spec.then(AccessRulesApplied())
    spec.then_state(states, {"a": "denying"})


def test_a_denial_that_failed_is_retried_as_a_denial() -> None:
    spec = active.given(denied("a"), began("access"), broken).when(RetryShare())

    spec.then(RetryRequested(works=("rule/a/deny",)))
    spec.then_state(states, {"a": "denying"})


def test_clients_can_be_shut_out_although_a_resize_failed() -> None:
    spec = active.given(
        ShareResizeRequested(doing="extend", size=3),
        began("extend"),
        ShareErrored(doing="extend", reason="no space"),
    )

    spec.when(DenyAccess(access_id="a")).then(denied("a"))
    spec.given(denied("a")).when(BeginAttempt(activation="activation-1", timeout_s=300.0)).then(
        began("access")
    )


def test_all_that_may_be_on_the_backend_goes_before_the_share() -> None:
    spec = applying.given(ShareDeletionRequested(cascade=False))

    removed = rule("a", "alice", "applying")
    spec.then_pending(ApplyRules(add=(), delete=(removed,), cascade=True))


def test_a_rule_that_never_reached_the_backend_does_not_hold_up_the_deletion() -> None:
    assert access.removal(available.given(allowed("a")).state.rules) is None


# -- what is in force ------------------------------------------------------------------------------
def test_a_rule_that_stayed_on_the_backend_is_in_force_again_once_its_client_has_no_other() -> None:
    rules = (
        Rules().with_rules(rule("a", "alice", "denying")).with_rules(rule("b", "alice", "active"))
    )
    failed = rules.with_rules(rule("a", "alice", "error"))
    assert failed.clients.as_dict() == {"user alice": "b"}

    left = failed.with_rules(rule("b", "alice", "denying"))

    assert left.clients.as_dict() == {"user alice": "a"}


def test_a_rule_in_error_that_is_applied_is_in_error_no_more() -> None:
    rules = Rules().with_rules(rule("a", "alice", "error"))

    assert not access.evolve(rules, applied("a")).errors


# -- applying again --------------------------------------------------------------------------------
def test_reapplying_queues_the_active_rules_and_the_exports() -> None:
    spec = active.when(ReapplyShare())

    spec.then(ShareReapplyRequested(rules=("a",)))
    again = active.given(ShareReapplyRequested(rules=("a",)))
    again.then_state(states, {"a": "queued"})
    again.given(began("access"), applied("a")).then_pending(Ensure())


def test_reapplying_twice_comes_to_one_work() -> None:
    spec = available.given(ShareReapplyRequested(rules=()))

    spec.when(ReapplyShare()).then()
    assert share.joins(ReapplyShare(), spec.state) == "ensure"


def test_a_share_that_is_not_available_is_not_reapplied() -> None:
    Spec(share).given(requested(size=2)).when(ReapplyShare()).then_rejected("creating")
