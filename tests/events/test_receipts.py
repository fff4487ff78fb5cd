"""What became of a request: receipts as a fold over one stream."""

from share_actors.events.decider import Event, RequestJoined
from share_actors.events.receipts import SETTLED_KEPT, Receipts, RecordedRequest
from share_actors.events.share.access import AccessAllowed, AccessDenied, AccessRulesApplied
from share_actors.events.share.messages import (
    RetryRequested,
    ShareDeleted,
    ShareDeletionRequested,
    ShareErrored,
)
from tests.events.share_events import Stream, began, created, requested


def fold(*answered: Event | tuple[Event, str]) -> Receipts:
    receipts, stream = Receipts(), Stream()
    for each in answered:
        event, command_id = each if isinstance(each, tuple) else (each, None)
        receipts.record(stream(event, command_id))
    return receipts


def known(receipts: Receipts, command_id: str) -> RecordedRequest:
    receipt = receipts.get(command_id)
    assert receipt is not None
    return receipt


def allowed(access_id: str) -> AccessAllowed:
    return AccessAllowed(
        access_id=access_id, access_type="user", access_to=access_id, access_level="rw"
    )


def test_a_request_is_accepted_until_its_work_ends() -> None:
    receipts = fold((requested(), "c1"), began("create"))

    assert known(receipts, "c1") == RecordedRequest(
        command_id="c1",
        fingerprint="content of c1",
        version=1,
        status="accepted",
        works=("create",),
    )
    assert receipts.open_works() == ("create",)


def test_a_request_is_done_when_its_work_ended_well() -> None:
    receipts = fold((requested(), "c1"), began("create"), created())

    assert known(receipts, "c1").status == "done"
    assert receipts.open_works() == ()


def test_a_request_has_failed_with_the_reason_of_its_work() -> None:
    receipts = fold((requested(), "c1"), ShareErrored(doing="create", reason="no space"))

    assert (known(receipts, "c1").status, known(receipts, "c1").reason) == ("failed", "no space")


def test_an_unknown_request_has_no_receipt() -> None:
    assert fold((requested(), "c1")).get("c2") is None


def test_a_request_that_opens_no_work_is_done_at_once() -> None:
    assert known(fold((began("create"), "c1")), "c1").status == "done"


def test_a_request_with_several_works_is_done_when_all_of_them_are() -> None:
    retried = RetryRequested(works=("rule/a/allow", "rule/b/allow"))
    first, second = AccessRulesApplied(applied=("a",)), AccessRulesApplied(applied=("b",))

    assert known(fold((retried, "c1"), first), "c1").status == "accepted"
    assert known(fold((retried, "c1"), first, second), "c1").status == "done"


def test_one_failed_work_of_several_fails_the_request_with_the_first_reason() -> None:
    retried = RetryRequested(works=("rule/a/allow", "rule/b/allow", "rule/c/allow"))
    receipts = fold(
        (retried, "c1"),
        AccessRulesApplied(failed={"a": "no such host"}),
        AccessRulesApplied(failed={"b": "too many rules"}),
        AccessRulesApplied(applied=("c",)),
    )

    assert (known(receipts, "c1").status, known(receipts, "c1").reason) == (
        "failed",
        "no such host",
    )


def test_a_request_may_come_to_several_events() -> None:
    receipts = fold((allowed("a"), "c1"), (allowed("b"), "c1"), AccessRulesApplied(applied=("a",)))

    assert known(receipts, "c1").works == ("rule/a/allow", "rule/b/allow")
    assert (known(receipts, "c1").status, known(receipts, "c1").version) == ("accepted", 1)


def test_a_later_opener_of_the_same_work_waits_beside_the_first() -> None:
    deleting = ShareDeletionRequested(cascade=True)
    receipts = fold((requested(), "c0"), created(), (deleting, "c1"), (deleting, "c2"))
    assert known(receipts, "c1").status == known(receipts, "c2").status == "accepted"

    receipts.record(Stream()(ShareDeleted()))

    assert known(receipts, "c1").status == known(receipts, "c2").status == "done"


def test_a_star_ends_all_open_works_that_begin_so() -> None:
    receipts = fold(
        (requested(), "c1"),
        (allowed("a"), "c2"),
        (ShareDeletionRequested(cascade=False), "c3"),
        ShareDeleted(),
    )

    assert known(receipts, "c3").status == "done"
    assert known(receipts, "c1").reason == "the share was deleted"
    assert known(receipts, "c2").reason == "the share was deleted"


def test_a_work_that_the_system_opened_is_open_with_no_request_waiting() -> None:
    receipts = fold(requested())

    assert receipts.open_works() == ("create",)


def test_the_cause_of_a_work_is_its_latest_opener() -> None:
    receipts = fold((allowed("a"), "c1"), (RetryRequested(works=("rule/a/allow",)), "c2"))

    cause = receipts.cause("rule/a/allow")

    assert cause is not None
    assert cause.command_id == "c2"


def test_a_work_that_is_not_open_has_no_cause() -> None:
    assert fold((requested(), "c1"), created()).cause("create") is None


def test_a_request_that_joins_the_work_under_way_ends_with_it() -> None:
    receipts = fold((requested(), "c1"), (RequestJoined(work="create"), "c2"))
    assert known(receipts, "c2").status == "accepted"
    assert (cause := receipts.cause("create")) is not None
    assert cause.command_id == "c1"

    receipts.record(Stream()(created()))

    assert known(receipts, "c2").status == "done"


def test_joining_what_has_ended_is_done() -> None:
    receipts = fold((requested(), "c1"), created(), (RequestJoined(work="create"), "c2"))

    assert known(receipts, "c2").status == "done"


def test_what_was_so_already_is_done_at_once() -> None:
    receipts = fold((requested(), "c1"), created())

    assert receipts.at_once("c2", "f2", "create", version=2).status == "done"
    assert receipts.at_once("c3", "f3", None, version=2).works == ()


def test_a_request_known_already_keeps_its_first_receipt() -> None:
    receipts = fold((requested(), "c1"))

    assert receipts.at_once("c1", "other", "create", version=9) == known(receipts, "c1")


def many(requests: int, keep: int | None = SETTLED_KEPT) -> Receipts:
    receipts, stream = Receipts(keep), Stream()
    receipts.record(stream(requested(), "first"))
    for n in range(requests):
        receipts.record(stream(AccessDenied(access_id="a"), f"c{n}"))
        receipts.record(stream(AccessRulesApplied(removed=("a",))))
    return receipts


def test_nothing_is_forgotten_up_to_the_bound() -> None:
    receipts = many(SETTLED_KEPT)

    assert not receipts.forgotten
    assert receipts.oldest_version == 1
    assert known(receipts, "c0").status == "done"


def test_beyond_the_bound_the_oldest_settled_requests_are_forgotten() -> None:
    receipts = many(SETTLED_KEPT + 2)

    assert receipts.get("c1") is None
    assert receipts.forgotten
    assert receipts.oldest_version == known(receipts, "c2").version - 1


def test_nothing_is_forgotten_without_a_bound() -> None:
    receipts = many(SETTLED_KEPT + 2, keep=None)

    assert known(receipts, "c0").status == "done"
    assert not receipts.forgotten


def test_a_request_under_way_is_never_forgotten() -> None:
    assert known(many(SETTLED_KEPT + 2), "first").status == "accepted"


def test_forgetting_a_silent_request_needs_no_scan_since_the_stream_never_held_it() -> None:
    receipts = Receipts()
    for n in range(SETTLED_KEPT + 1):
        receipts.at_once(f"c{n}", None, None, version=n)

    assert receipts.get("c0") is None
    assert not receipts.forgotten


def test_a_loaded_dump_goes_on_where_the_fold_was() -> None:
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


def test_a_loaded_dump_remembers_causes_order_and_what_was_forgotten() -> None:
    receipts = many(SETTLED_KEPT + 5)

    loaded = Receipts.load(receipts.dump())

    assert loaded.cause("create") == receipts.cause("create")
    assert loaded.open_works() == receipts.open_works()
    assert loaded.oldest_version == receipts.oldest_version
