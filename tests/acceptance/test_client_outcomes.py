"""The client on a real system: failures, receipts, command ids and timeouts."""

from __future__ import annotations

import pytest

from share_actors.audit.sentences import sentence
from share_actors.client import ShareSystem
from share_actors.errors import InvalidRequest, NotFound, OperationFailed, Refused, TimedOut
from share_actors.values import RequestContext
from tests.acceptance.faulty_backends import name, site, system
from tests.acceptance.systems import Site, eventually

__all__ = ["name", "site", "system"]


# -- failures --------------------------------------------------------------------------------------
def test_a_failure_of_the_backend_is_raised_and_shown_with_its_reason(
    system: ShareSystem, name: str
) -> None:
    with pytest.raises(OperationFailed, match="no space left") as caught:
        system.create_share(size=1, name=name, backend="broken")

    share = system.share(name)
    assert (share.status, share.status_reason) == ("error", "no space left")
    assert caught.value.details["share_id"] == share.id
    assert share.delete().status == "deleted"


def test_retry_ends_the_error_status(system: ShareSystem, name: str) -> None:
    with pytest.raises(OperationFailed, match="gave up after 5 attempts"):
        system.create_share(size=1, name=name, backend="shaky")
    share = system.share(name)

    share.retry()

    assert share.status == "available"
    with pytest.raises(Refused, match="nothing is in error"):
        share.retry()


def test_history_has_every_event_and_who_requested_it(system: ShareSystem, name: str) -> None:
    bob = RequestContext(user_id="bob", project_id="web", request_id="req-7")

    share = system.as_user(bob).create_share(size=1, name=name)
    share.delete()

    history = share.history()
    assert sentence(history[0]).startswith("bob")
    assert [type(r.event).__name__ for r in history] == [
        "ShareCreationRequested",
        "AttemptStarted",
        "ShareCreated",
        "ShareDeletionRequested",
        "AttemptStarted",
        "ShareDeleted",
    ]
    assert {r.envelope.project_id for r in history} == {"web"}
    assert history[0].envelope.request_id == "req-7"


def test_explain_shows_pending_work_attempts_failures_and_advice(
    system: ShareSystem, name: str
) -> None:
    slow = system.create_share(size=1, name=name, backend="slow", wait=False)
    pending = slow.explain()
    broken = system.create_share(size=1, name=name, backend="broken", wait=False)
    eventually(lambda: broken.refresh().status == "error")
    failed = broken.explain()

    assert slow.receipt is not None
    assert [(owed.what, owed.command_id) for owed in pending.owed] == [
        ("create it", slow.receipt.command_id)
    ]
    assert (pending.attempts[-1].n, pending.attempts[-1].result) == (1, "under way")
    assert (failed.status, failed.owed) == ("error", ())
    assert "no space left" in failed.failed[0].reason
    assert any("retry" in line for line in failed.advice)


def test_a_receipt_of_work_in_progress_has_the_attempt(system: ShareSystem, name: str) -> None:
    share = system.create_share(size=1, name=name, backend="slow", wait=False)
    assert share.receipt is not None

    receipt = system.receipt(share.receipt.command_id)

    assert (receipt.share_id, receipt.status) == (share.id, "accepted")
    assert receipt.attempt is not None
    assert (receipt.attempt.n, receipt.attempt.effect) == (1, "create")
    assert receipt.attempt.deadline > receipt.attempt.began


def test_shares_belong_to_the_user_and_project_of_the_request(
    system: ShareSystem, name: str
) -> None:
    context = RequestContext(user_id="eve", project_id=name)
    share = system.as_user(context).create_share(size=1)
    system.create_share(size=1)

    assert [s.id for s in system.shares(project_id=name).items] == [share.id]
    assert (share.seen.user_id, share.seen.project_id) == ("eve", name)


# -- receipts, command ids, timeouts ---------------------------------------------------------------
def test_without_waiting_the_receipt_gives_the_outcome_later(
    system: ShareSystem, name: str
) -> None:
    share = system.create_share(size=1, name=name, backend="slow", wait=False)
    receipt = share.receipt
    assert receipt is not None
    assert (receipt.status, receipt.share, share.status) == ("accepted", None, "creating")
    assert system.receipt(receipt.command_id).status == "accepted"

    done = system.wait(receipt)

    assert done.share is not None
    assert (done.status, done.share.status) == ("done", "available")
    assert system.receipt(receipt.command_id, share.id).status == "done"


def test_waiting_for_a_failed_request_raises_its_reason(system: ShareSystem, name: str) -> None:
    share = system.create_share(size=1, name=name, backend="broken", wait=False)
    assert share.receipt is not None

    with pytest.raises(OperationFailed, match="no space left"):
        system.wait(share.receipt)
    with pytest.raises(NotFound, match="no-such-command"):
        system.receipt("no-such-command", share.id)
    with pytest.raises(NotFound, match="no-such-command"):
        system.receipt("no-such-command")


def test_two_creations_with_one_command_id_create_one_share(system: ShareSystem, name: str) -> None:
    first = system.create_share(size=1, name=name, command_id=f"id-{name}")
    second = system.create_share(size=1, name=name, command_id=f"id-{name}")

    assert first.id == second.id
    assert len(system.shares(name=name).items) == 1
    assert len(first.history()) == 3


def test_a_command_id_with_other_content_is_refused_and_changes_nothing(
    site: Site, system: ShareSystem, name: str
) -> None:
    system.create_share(size=1, name=name, command_id=f"id-{name}")
    before = site.head()

    with pytest.raises(InvalidRequest, match="used before, for another request") as caught:
        system.create_share(size=2, name=name, command_id=f"id-{name}")

    assert (caught.value.field, caught.value.value) == ("command_id", f"id-{name}")
    assert site.head() == before


def test_repeated_requests_with_one_command_id_create_one_rule_and_one_snapshot(
    system: ShareSystem, name: str
) -> None:
    share = system.create_share(size=1, name=name)

    rules = [share.allow_access("bob", command_id="r1") for _ in range(2)]
    snapshots = [share.create_snapshot("one", command_id="s1") for _ in range(2)]

    assert rules[0] == rules[1]
    assert snapshots[0] == snapshots[1]
    assert len(share.refresh().snapshots) == len(share.access_rules) == 1


def test_a_timeout_says_that_the_request_is_recorded_and_continues(
    system: ShareSystem, name: str
) -> None:
    with pytest.raises(TimedOut, match="recorded and goes on") as caught:
        system.create_share(size=1, name=name, backend="slow", timeout=0.8)

    details = caught.value.details
    assert system.receipt(details["command_id"]).status == "accepted"
    eventually(lambda: system.share(details["share_id"]).status == "available")
