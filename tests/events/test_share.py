"""What a share decides, becomes and owes from its creation on, and after errors."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from share_actors.events import share
from share_actors.events.attempts import AttemptFailed
from share_actors.events.share.access import ConfirmRules
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmDeleted,
    ConfirmResized,
    DeleteShare,
    Destroy,
    ExtendShare,
    Provision,
    RetryRequested,
    RetryShare,
    ShareErrored,
)
from share_actors.events.share.snapshot.messages import ConfirmSnapshotDeleted
from share_actors.values import ExportLocation, Share, Snapshot
from tests.events.share_events import NOON, began, created, requested
from tests.events.share_requests import (
    absent,
    allowed,
    available,
    begin,
    create,
    create_with,
    creating,
    deleting,
    failed,
    gave_up,
    later,
    status,
    transient,
)


# -- creating --------------------------------------------------------------------------------------
def test_creating_a_share_requests_it() -> None:
    absent.when(create).then(requested())


def test_a_requested_share_is_creating_and_owes_its_provision() -> None:
    spec = absent.given(requested())

    spec.then_state(status, "creating")
    spec.then_pending(Provision(source=None))


def test_a_share_is_all_that_was_asked_for() -> None:
    spec = absent.when(
        create_with(metadata={"tier": "gold"}, is_public=True, description="my files")
    )

    assert share.view(spec.state) == Share(
        id="s1",
        name="home",
        description="my files",
        share_proto="NFS",
        size=1,
        host="local",
        metadata={"tier": "gold"},
        is_public=True,
        project_id="demo",
        user_id="alice",
        created_at=NOON,
        status="creating",
    )


def test_what_is_told_of_one_rule_is_the_share_with_that_rule_only() -> None:
    other = allowed.model_copy(update={"access_id": "b", "access_to": "alice"})
    spec = available.given(allowed, other)

    told = share.part(spec.state, ["rule/b/allow"])

    assert told == share.view(spec.state).replace(access_rules=(spec.state.rules.rules["b"],))
    assert share.part(spec.state, ["rule/gone/deny"]) == told.replace(access_rules=())


@pytest.mark.parametrize("works", [(), ("extend",), ("rule/a/allow", "create")])
def test_what_is_about_the_share_is_told_of_all_of_it(works: tuple[str, ...]) -> None:
    assert share.part(available.given(allowed).state, works) is None


def test_an_attempt_is_recorded_before_the_driver_is_called() -> None:
    absent.given(requested()).when(begin).then(began("create"))


def test_a_second_attempt_is_numbered_two() -> None:
    creating.when(begin).then(began("create", n=2, probe=True))


def went_wrong(kind: Literal["transient", "bug", "unknown"], n: int = 1) -> AttemptFailed:
    return AttemptFailed(n=n, effect="create", kind=kind, reason="why", retry_at=NOON)


def test_after_an_unknown_outcome_the_backend_is_asked_first_what_exists() -> None:
    spec = creating.given(went_wrong("unknown"))

    spec.when(begin).then(began("create", n=2, probe=True))
    spec.given(began("create", 2, probe=True), went_wrong("transient", 2)).when(begin).then(
        began("create", n=3, probe=True)  # the first one is in doubt still
    )


@pytest.mark.parametrize("kind", ["transient", "bug"])
def test_after_an_outcome_that_is_known_it_is_not(kind: Literal["transient", "bug"]) -> None:
    creating.given(went_wrong(kind)).when(begin).then(began("create", n=2))


def test_an_attempt_is_under_way_from_its_beginning_to_its_outcome() -> None:
    creating.then_state(share.under_way, True)
    creating.given(went_wrong("unknown")).then_state(share.under_way, False)
    available.then_state(share.under_way, False)


def test_what_the_driver_made_is_recorded_as_it_came() -> None:
    location = ExportLocation(path="nas:/srv/s1")

    creating.when(ConfirmCreated(export_locations=(location,))).then(created())


def test_a_created_share_is_available_and_owes_nothing() -> None:
    available.then_state(status, "available")
    available.then_state(lambda s: s.attempt, None)
    available.then_pending(None)


def test_the_same_creation_asked_again_comes_to_nothing_new() -> None:
    absent.given(requested()).when(create).then()


@pytest.mark.parametrize("other", [{"size": 2}, {"name": "x"}, {"host": "x"}, {"project_id": "x"}])
def test_a_creation_with_other_content_is_rejected(other: dict[str, Any]) -> None:
    absent.given(requested()).when(create_with(**other)).then_rejected(
        "exists already and is creating"
    )


def test_a_creation_from_another_snapshot_is_rejected() -> None:
    source = Snapshot(id="n", share_id="other")

    absent.given(requested()).when(create.replace(source=source)).then_rejected("exists already")


@pytest.mark.parametrize(("last", "now"), [(gave_up, "error"), (deleting, "deleting")])
def test_a_creation_asked_again_of_a_share_that_is_not_well_is_rejected(
    last: Any, now: str
) -> None:
    creating.given(last).when(create.replace(size=2)).then_rejected(f"exists already and is {now}")


def test_nothing_can_be_asked_of_a_share_that_does_not_exist() -> None:
    absent.when(DeleteShare()).then_rejected("no such share")
    absent.when(ExtendShare(size=2)).then_rejected("no such share")


# -- outcomes --------------------------------------------------------------------------------------
def test_nothing_is_begun_when_nothing_is_owed() -> None:
    available.when(begin).then_rejected("no work is pending")


def test_a_transient_failure_is_followed_by_another_attempt_at_its_time() -> None:
    again = AttemptFailed(n=1, effect="create", kind="transient", reason="busy", retry_at=later)

    creating.when(transient).then(again)
    creating.given(again).then_pending(Provision(source=None))
    creating.given(again).then_state(share.not_before, later)


def test_an_attempt_that_began_is_due_now() -> None:
    creating.then_state(share.not_before, None)


def test_after_the_last_attempt_the_share_is_in_error_with_the_reason() -> None:
    spec = creating.given(began("create", n=2)).when(transient)

    spec.then(ShareErrored(doing="create", reason="busy (gave up after 2 attempts)"))


def test_a_failure_that_the_backend_is_sure_of_is_not_tried_again() -> None:
    creating.when(failed).then(gave_up)
    creating.given(gave_up).then_state(lambda s: s.share.status_reason, "no space")
    creating.given(gave_up).then_pending(None)


@pytest.mark.parametrize(
    "outcome",
    [
        ConfirmCreated(export_locations=()),
        ConfirmDeleted(),
        ConfirmResized(doing="extend", size=3),
        ConfirmRules(),
        ConfirmSnapshotDeleted(snapshot_id="n"),
        failed,
    ],
    ids=lambda outcome: type(outcome).__name__,
)
def test_an_outcome_of_an_attempt_that_is_over_is_rejected(outcome: Any) -> None:
    available.when(outcome).then_rejected("no attempt")


def test_an_outcome_of_another_effect_is_rejected() -> None:
    creating.when(ConfirmDeleted()).then_rejected("no attempt at delete")


# -- error -----------------------------------------------------------------------------------------
def test_a_retry_owes_again_what_failed() -> None:
    spec = creating.given(gave_up).when(RetryShare())

    spec.then(RetryRequested(works=("create",)))
    spec.then_state(status, "creating")
    spec.then_pending(Provision(source=None))


def test_attempts_are_counted_anew_after_a_retry() -> None:
    spec = creating.given(began("create", n=2), gave_up, RetryRequested(works=("create",)))

    spec.when(begin).then(began("create", n=1))


def test_a_retry_is_rejected_when_nothing_is_in_error() -> None:
    available.when(RetryShare()).then_rejected("nothing is in error")


def test_a_share_in_error_can_be_deleted() -> None:
    creating.given(gave_up).when(DeleteShare()).then_pending(Destroy())


# -- what a repeated request waits for -------------------------------------------------------------
def test_a_repeated_request_waits_for_the_work_that_it_asks_for() -> None:
    state = available.given(allowed).state

    assert share.joins(create, state) == "create"
    assert share.joins(DeleteShare(), state) == "delete"
    assert share.joins(ExtendShare(size=3), state) is None
