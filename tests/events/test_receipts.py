"""Receipts as a fold over one stream."""

import json

import pytest

from share_actors.events.decider import Event, RequestJoined
from share_actors.events.receipts import MAX_SETTLED, Receipts, RecordedRequest
from share_actors.events.share.access import AccessAllowed, AccessDenied, AccessRulesApplied
from share_actors.events.share.messages import (
    RetryRequested,
    ShareDeleted,
    ShareDeletionRequested,
    ShareErrored,
)
from tests.events.share_events import Stream, began, created, requested


def fold(*history: Event | tuple[Event, str]) -> Receipts:
    """The receipts of a stream; a client's event is given with its command id."""
    receipts, stream = Receipts(), Stream()
    for item in history:
        event, command_id = item if isinstance(item, tuple) else (item, None)
        receipts.record(stream(event, command_id))
    return receipts


def receipt_of(receipts: Receipts, command_id: str) -> RecordedRequest:
    receipt = receipts.get(command_id)
    assert receipt is not None
    return receipt


def allowed(access_id: str) -> AccessAllowed:
    return AccessAllowed(
        access_id=access_id, access_type="user", access_to=access_id, access_level="rw"
    )


def test_a_request_is_accepted_until_its_work_ends() -> None:
    receipts = fold((requested(), "c1"), began("create"))

    assert receipt_of(receipts, "c1") == RecordedRequest(
        command_id="c1",
        fingerprint="content of c1",
        version=1,
        status="accepted",
        works=("create",),
        project_id="demo",
    )
    assert receipts.open_works() == ("create",)


def test_a_request_is_done_when_its_work_succeeded() -> None:
    receipts = fold((requested(), "c1"), began("create"), created())

    assert receipt_of(receipts, "c1").status == "done"
    assert receipts.open_works() == ()


def test_a_request_fails_with_the_reason_of_its_work() -> None:
    receipts = fold((requested(), "c1"), ShareErrored(doing="create", reason="no space"))

    assert (receipt_of(receipts, "c1").status, receipt_of(receipts, "c1").reason) == (
        "failed",
        "no space",
    )


def test_an_unknown_request_has_no_receipt() -> None:
    assert fold((requested(), "c1")).get("c2") is None


def test_a_request_that_opens_no_work_is_done_immediately() -> None:
    assert receipt_of(fold((began("create"), "c1")), "c1").status == "done"


def test_a_request_with_several_works_is_done_when_all_works_are_done() -> None:
    retried = RetryRequested(works=("rule/a/allow", "rule/b/allow"))
    first, second = AccessRulesApplied(applied=("a",)), AccessRulesApplied(applied=("b",))

    assert receipt_of(fold((retried, "c1"), first), "c1").status == "accepted"
    assert receipt_of(fold((retried, "c1"), first, second), "c1").status == "done"


def test_a_request_with_several_works_fails_with_the_reason_of_the_first_failure() -> None:
    retried = RetryRequested(works=("rule/a/allow", "rule/b/allow", "rule/c/allow"))
    receipts = fold(
        (retried, "c1"),
        AccessRulesApplied(failed={"a": "no such host"}),
        AccessRulesApplied(failed={"b": "too many rules"}),
        AccessRulesApplied(applied=("c",)),
    )

    assert (receipt_of(receipts, "c1").status, receipt_of(receipts, "c1").reason) == (
        "failed",
        "no such host",
    )


def test_one_request_may_record_several_events() -> None:
    receipts = fold((allowed("a"), "c1"), (allowed("b"), "c1"), AccessRulesApplied(applied=("a",)))

    assert receipt_of(receipts, "c1").works == ("rule/a/allow", "rule/b/allow")
    assert (receipt_of(receipts, "c1").status, receipt_of(receipts, "c1").version) == (
        "accepted",
        1,
    )


def test_two_requests_for_the_same_work_both_end_with_it() -> None:
    deleting = ShareDeletionRequested(cascade=True)
    receipts = fold((requested(), "c0"), created(), (deleting, "c1"), (deleting, "c2"))
    assert receipt_of(receipts, "c1").status == receipt_of(receipts, "c2").status == "accepted"

    receipts.record(Stream()(ShareDeleted()))

    assert receipt_of(receipts, "c1").status == receipt_of(receipts, "c2").status == "done"


def test_a_star_in_a_settled_work_ends_all_matching_open_works() -> None:
    receipts = fold(
        (requested(), "c1"),
        (allowed("a"), "c2"),
        (ShareDeletionRequested(cascade=False), "c3"),
        ShareDeleted(),
    )

    assert receipt_of(receipts, "c3").status == "done"
    assert receipt_of(receipts, "c1").reason == "the share was deleted"
    assert receipt_of(receipts, "c2").reason == "the share was deleted"


def test_a_work_that_the_system_opened_is_open_without_a_request() -> None:
    receipts = fold(requested())

    assert receipts.open_works() == ("create",)


def test_the_cause_of_a_work_is_the_last_event_that_opened_it() -> None:
    receipts = fold((allowed("a"), "c1"), (RetryRequested(works=("rule/a/allow",)), "c2"))

    cause = receipts.cause("rule/a/allow")

    assert cause is not None
    assert cause.command_id == "c2"


def test_a_work_that_is_not_open_has_no_cause() -> None:
    assert fold((requested(), "c1"), created()).cause("create") is None


def test_a_request_that_joins_a_work_in_progress_ends_with_it() -> None:
    receipts = fold((requested(), "c1"), (RequestJoined(work="create"), "c2"))
    assert receipt_of(receipts, "c2").status == "accepted"
    assert (cause := receipts.cause("create")) is not None
    assert cause.command_id == "c1"

    receipts.record(Stream()(created()))

    assert receipt_of(receipts, "c2").status == "done"


def test_a_request_that_joins_an_ended_work_is_done() -> None:
    receipts = fold((requested(), "c1"), created(), (RequestJoined(work="create"), "c2"))

    assert receipt_of(receipts, "c2").status == "done"


def test_a_request_without_events_is_done_immediately() -> None:
    receipts = fold((requested(), "c1"), created())

    assert receipts.record_without_events("c2", "f2", "create", version=2).status == "done"
    assert receipts.record_without_events("c3", "f3", None, version=2).works == ()


def test_a_repeated_request_without_events_keeps_its_first_receipt() -> None:
    receipts = fold((requested(), "c1"))

    assert receipts.record_without_events(
        "c1", "other", "create", version=9, project_id="demo"
    ) == receipt_of(receipts, "c1")


def many(requests: int, keep: int | None = MAX_SETTLED) -> Receipts:
    receipts, stream = Receipts(keep), Stream()
    receipts.record(stream(requested(), "first"))
    for n in range(requests):
        receipts.record(stream(AccessDenied(access_id="a"), f"c{n}"))
        receipts.record(stream(AccessRulesApplied(removed=("a",))))
    return receipts


def test_up_to_the_limit_all_receipts_are_kept() -> None:
    receipts = many(MAX_SETTLED)

    assert not receipts.forgotten
    assert receipts.oldest_version == 1
    assert receipt_of(receipts, "c0").status == "done"


def test_beyond_the_limit_the_receipts_of_the_oldest_ended_requests_are_dropped() -> None:
    receipts = many(MAX_SETTLED + 2)

    assert receipts.get("c1") is None
    assert receipts.forgotten
    assert receipts.oldest_version == receipt_of(receipts, "c2").version - 1


def test_without_a_limit_all_receipts_are_kept() -> None:
    receipts = many(MAX_SETTLED + 2, keep=None)

    assert receipt_of(receipts, "c0").status == "done"
    assert not receipts.forgotten


def test_the_receipt_of_a_request_in_progress_is_never_dropped() -> None:
    assert receipt_of(many(MAX_SETTLED + 2), "first").status == "accepted"


def test_dropping_the_receipt_of_an_unrecorded_request_requires_no_scan() -> None:
    receipts = Receipts()
    for n in range(MAX_SETTLED + 1):
        receipts.record_without_events(f"c{n}", None, None, version=n)

    assert receipts.get("c0") is None
    assert not receipts.forgotten


def test_a_loaded_dump_continues_like_the_original() -> None:
    receipts = fold(
        (requested(), "c1"),
        (allowed("a"), "c2"),
        (allowed("b"), "c3"),
        created(),
        (RequestJoined(work="rule/a/allow"), "c4"),
    )

    loaded = Receipts.load(receipts.dump())

    for each in (receipts, loaded):
        each.record(Stream()(AccessRulesApplied(applied=("a",), failed={"b": "no such host"})))
    assert [loaded.get(f"c{n}") for n in range(5)] == [receipts.get(f"c{n}") for n in range(5)]
    assert loaded.dump() == receipts.dump()


def test_a_loaded_dump_has_the_same_causes_open_works_and_oldest_version() -> None:
    receipts = many(MAX_SETTLED + 5)

    loaded = Receipts.load(receipts.dump())

    assert loaded.cause("create") == receipts.cause("create")
    assert loaded.open_works() == receipts.open_works()
    assert loaded.oldest_version == receipts.oldest_version


def test_a_state_snapshot_stores_an_unrecorded_request_under_its_first_name() -> None:
    receipts = Receipts()
    receipts.record_without_events("c1", None, None, version=1)

    [stored] = json.loads(receipts.dump())["settled"]

    assert stored["joined"] is True
    assert Receipts.load(receipts.dump()).dump() == receipts.dump()


def test_receipts_of_an_older_state_snapshot_which_lack_projects_are_not_loaded() -> None:
    older = b"""{
        "under_way": [],
        "settled": [
            {"receipt": ["c1", "f1", 3, "failed", "no space", ["create"]], "joined": false}
        ],
        "open": {},
        "forgotten_upto": 2
    }"""

    with pytest.raises(ValueError, match="identified_by"):  # the stream is replayed instead
        Receipts.load(older)


def test_one_command_id_of_two_projects_is_two_requests() -> None:
    receipts = Receipts()
    receipts.record_without_events("c1", "f1", None, 1, "blue")
    receipts.record_without_events("c1", "f2", None, 2, "red")

    for each in (receipts, Receipts.load(receipts.dump())):
        found = [each.get("c1", project) for project in ("blue", "red", "green")]
        assert [receipt and receipt.fingerprint for receipt in found] == ["f1", "f2", None]
        assert receipt_of(each, "c1").project_id == "blue"


def test_a_loaded_dump_knows_the_requests_in_progress_of_each_project() -> None:
    receipts = Receipts()
    stream = Stream()
    receipts.record(stream(requested(), "c1"))
    receipts.record(stream(RequestJoined(work="create"), "c1", project="red"))

    loaded = Receipts.load(receipts.dump())
    loaded.record(stream(created()))

    assert loaded.take_settled().keys() == {("demo", "c1"), ("red", "c1")}
