"""What a share decides, becomes and owes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from share_actors.events import share
from share_actors.events.attempts import AttemptFailed, BeginAttempt, ReportFailure
from share_actors.events.share import ShareState
from share_actors.events.share.access import (
    AccessAllowed,
    AccessRulesApplied,
    ApplyRules,
    ConfirmRules,
)
from share_actors.events.share.messages import (
    ConfirmCreated,
    ConfirmDeleted,
    ConfirmResized,
    CreateShare,
    DeleteShare,
    Destroy,
    ExtendShare,
    Provision,
    Resize,
    RetryRequested,
    RetryShare,
    ShareDeleted,
    ShareDeletionRequested,
    ShareErrored,
    ShareResized,
    ShareResizeRefused,
    ShareResizeRequested,
    ShrinkShare,
)
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotDeleted,
    CreateSnapshot,
    DropSnapshot,
    SnapshotCreated,
    SnapshotDeleted,
    SnapshotRequested,
)
from share_actors.testing import Spec
from share_actors.values import ExportLocation, Share, ShareSpec, Snapshot, nest_spec
from tests.events.share_events import NOON, began, created, requested

begin = BeginAttempt(activation="activation-1", timeout_s=300.0)
create = CreateShare(
    share_id="s1",
    size=1,
    at=NOON,
    spec=ShareSpec(name="home", host="local", project_id="demo", user_id="alice"),
)


def create_with(**fields: Any) -> CreateShare:
    """The creation `create` with other fields."""
    flat = {**dict(create), **dict(create.spec), **fields}
    del flat["spec"]
    return CreateShare(**nest_spec(flat))


failed = ReportFailure(kind="failed", reason="no space")
refused = ReportFailure(kind="refused", reason="in use")
later = NOON + timedelta(seconds=2)
transient = ReportFailure(kind="transient", reason="busy", retry_at=later, max_attempts=2)
gave_up = ShareErrored(doing="create", reason="no space")
deleting = ShareDeletionRequested(cascade=False)
extend = ShareResizeRequested(doing="extend", size=3)
shrink = ShareResizeRequested(doing="shrink", size=1)
stuck = ShareErrored(doing="extend", reason="no space")
allowed = AccessAllowed(access_id="a", access_type="user", access_to="bob", access_level="rw")
applied = AccessRulesApplied(applied=("a",))
snapped = SnapshotRequested(snapshot_id="n", name=None, at=NOON)
taken = SnapshotCreated(snapshot_id="n", provider_location=None)

absent = Spec(share)
creating = Spec(share).given(requested(size=2), began("create"))
available = creating.given(created())


def status(state: ShareState) -> str:
    return state.share.status


# -- creating ------------------------------------------------------------------------------------
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


# -- outcomes ------------------------------------------------------------------------------------
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


# -- error ---------------------------------------------------------------------------------------
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


# -- resizing ------------------------------------------------------------------------------------
def test_extending_owes_the_new_size() -> None:
    available.when(ExtendShare(size=3)).then(extend)
    available.given(extend).then_state(status, "extending")
    available.given(extend).then_pending(Resize(doing="extend", size=3))


def test_shrinking_owes_the_new_size() -> None:
    available.when(ShrinkShare(size=1)).then(shrink)
    available.given(shrink).then_state(status, "shrinking")
    available.given(shrink).then_pending(Resize(doing="shrink", size=1))


def test_a_resized_share_has_the_size_that_the_backend_made_it() -> None:
    resized = ShareResized(doing="extend", size=3)
    spec = available.given(extend, began("extend"))

    spec.when(ConfirmResized(doing="extend", size=3)).then(resized)
    spec.given(resized).then_state(lambda s: (s.share.status, s.share.size), ("available", 3))


@pytest.mark.parametrize("size", [1, 2])
def test_a_share_is_extended_only_to_more(size: int) -> None:
    available.when(ExtendShare(size=size)).then_rejected("not more than the present 2 GiB")


@pytest.mark.parametrize("size", [2, 3])
def test_a_share_is_shrunk_only_to_less(size: int) -> None:
    available.when(ShrinkShare(size=size)).then_rejected("not less than the present 2 GiB")


def test_a_share_that_is_being_resized_is_not_resized_again() -> None:
    available.given(extend).when(ShrinkShare(size=1)).then_rejected("is extending")


def test_a_shrink_that_the_backend_refused_leaves_the_share_as_it_was() -> None:
    said_no = ShareResizeRefused(doing="shrink", reason="in use")
    spec = available.given(shrink, began("shrink"))

    spec.when(refused).then(said_no)
    spec.given(said_no).then_state(
        lambda s: (s.share.status, s.share.size, s.share.status_reason), ("available", 2, "in use")
    )


def test_a_failed_resize_is_an_error_that_a_retry_takes_up_again() -> None:
    spec = available.given(extend, began("extend"))

    spec.when(failed).then(stuck)
    spec.given(stuck).when(RetryShare()).then_pending(Resize(doing="extend", size=3))


def test_rules_and_snapshots_are_looked_after_although_a_resize_failed() -> None:
    spec = available.given(snapped, taken, extend, began("extend"), stuck)
    rule = AccessAllowed(access_id="a", access_type="user", access_to="bob", access_level="rw")

    assert isinstance(share.pending(spec.given(rule).state), ApplyRules)


# -- deleting ------------------------------------------------------------------------------------
def test_deleting_an_available_share_owes_its_destruction() -> None:
    available.when(DeleteShare()).then(deleting)
    available.given(deleting).then_pending(Destroy())


def test_a_deleted_share_is_gone_for_good() -> None:
    spec = available.given(deleting, began("delete"))

    spec.when(ConfirmDeleted()).then(ShareDeleted())
    gone = spec.given(ShareDeleted())
    gone.then_state(lambda s: (s.share.status, s.share.export_locations), ("deleted", ()))
    gone.then_pending(None)
    gone.when(RetryShare()).then_rejected("is deleted")
    gone.when(create).then_rejected("exists already and is deleted")


def test_deleting_twice_comes_to_nothing_new() -> None:
    available.given(deleting).when(DeleteShare()).then()
    available.given(deleting, ShareDeleted()).when(DeleteShare()).then()


def test_a_deletion_waits_for_the_creation_under_way() -> None:
    spec = creating.given(deleting)

    spec.given(created()).then_pending(Destroy())
    spec.given(created()).then_state(status, "deleting")


def test_a_deletion_goes_on_although_what_it_waited_for_failed() -> None:
    spec = creating.given(deleting)

    spec.when(failed).then(gave_up)
    spec.given(gave_up).then_state(status, "deleting")
    spec.given(gave_up).then_pending(Destroy())


def test_a_failed_deletion_is_an_error_that_a_retry_takes_up_again() -> None:
    stays = ShareErrored(doing="delete", reason="no space")
    spec = available.given(deleting, began("delete"))

    spec.when(failed).then(stays)
    spec.given(stays).when(RetryShare()).then_pending(Destroy())


def test_a_share_with_snapshots_is_not_deleted_without_cascade() -> None:
    available.given(snapped, taken).when(DeleteShare()).then_rejected(r"has snapshots \(n\)")


def test_a_cascade_takes_snapshots_then_rules_then_the_share() -> None:
    spec = available.given(allowed, began("access"), applied, snapped, taken)
    spec = spec.given(ShareDeletionRequested(cascade=True), began("delete"))

    spec.then_pending(DropSnapshot(snapshot_id="n", cascade=True))
    spec = spec.given(SnapshotDeleted(snapshot_id="n"), began("delete"))
    assert isinstance(share.pending(spec.state), ApplyRules)
    spec.given(AccessRulesApplied(removed=("a",))).then_pending(Destroy())


def test_a_share_is_not_gone_before_what_belongs_to_it() -> None:
    spec = available.given(allowed, began("access"), applied, deleting, began("delete"))

    spec.when(ConfirmDeleted()).then_rejected("are deleted before it")


def test_a_rule_that_does_not_come_off_ends_the_deletion_in_error() -> None:
    spec = available.given(allowed, began("access"), applied, deleting, began("delete"))

    stays = ShareErrored(doing="delete", reason="access rule a: no")
    spec.when(ConfirmRules(failed={"a": "no"})).then(stays)
    spec.when(ConfirmRules(removed=("b",), failed={"a": "no"})).then(
        AccessRulesApplied(removed=("b",)), stays
    )


def test_retrying_a_deletion_does_not_bring_back_its_rules() -> None:
    broken = AccessRulesApplied(failed={"a": "no"})
    spec = available.given(allowed, began("access"), broken, deleting, began("delete"))
    spec = spec.given(ShareErrored(doing="delete", reason="no"))

    spec.when(RetryShare()).then(RetryRequested(works=("delete",)))
    assert spec.when(RetryShare()).state.rules.rules["a"].state == "error"


def test_a_snapshot_can_not_be_taken_of_a_share_that_goes() -> None:
    again = CreateSnapshot(snapshot_id="n", at=NOON)

    available.given(deleting).when(again).then_rejected("is deleting; it must be available")


# -- what a repeated request waits for -----------------------------------------------------------
def test_a_repeated_request_waits_for_the_work_that_it_asks_for() -> None:
    state = available.given(allowed).state

    assert share.joins(create, state) == "create"
    assert share.joins(DeleteShare(), state) == "delete"
    assert share.joins(ExtendShare(size=3), state) is None


# -- what can be asked at all --------------------------------------------------------------------
def wrong_fields(**fields: Any) -> set[Any]:
    """The names of the fields that a creation with *fields* is refused for."""
    with pytest.raises(ValidationError) as refusal:
        create_with(**fields)
    return {error["loc"][-1] for error in refusal.value.errors()}


@pytest.mark.parametrize("size", [0, -1, 1.5, 1.0, "1", True, 2**31, 10**30, None])
def test_a_size_is_a_whole_number_of_gib_that_fits(size: Any) -> None:
    assert wrong_fields(size=size) == {"size"}
    for resize in (ExtendShare, ShrinkShare):
        with pytest.raises(ValidationError, match="size"):
            resize(size=size)


@pytest.mark.parametrize("text", ["x" * 256, "a\nb", "a\0b", "\x1b[31m", "a\u202eb", "\ud800"])
def test_a_name_and_a_description_are_short_and_printable(text: str) -> None:
    assert wrong_fields(name=text) == {"name"}
    if "\n" not in text:
        assert wrong_fields(description=text) == {"description"}


def test_a_description_may_have_several_lines() -> None:
    described = create_with(description="first line\r\n\tsecond")

    assert described.spec.description == "first line\n\tsecond"


@pytest.mark.parametrize(
    "metadata",
    [
        {"": "v"},
        {"k": ""},
        {"k" * 256: "v"},
        {"k": "v" * 1024},
        {"k": "v" * 5_000_000},
        {"a\nb": "v"},
        {"k": "v\x1b[31m"},
        {f"k{n}": "v" for n in range(129)},
    ],
    ids=range(8),
)
def test_metadata_beyond_the_limits_of_manila_is_refused(metadata: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refusal:
        create_with(metadata=metadata)

    [error] = refusal.value.errors()
    assert error["ctx"]["error"].part.startswith("metadata")


def test_metadata_at_the_limits_is_accepted() -> None:
    metadata = {f"{n:0>255}": "v" * 1023 for n in range(128)}

    assert create_with(metadata=metadata).spec.metadata == metadata


def test_an_old_log_may_hold_metadata_beyond_the_limits() -> None:
    old = ShareSpec(metadata={"k": "", "b" * 300: "\n"})

    assert ShareSpec.model_validate_json(old.model_dump_json()) == old


@pytest.mark.parametrize("name", ["x" * 255, "übung", "名前", "a b", ""])
def test_a_name_may_be_in_any_script(name: str) -> None:
    assert create_with(name=name).spec.name == name


@pytest.mark.parametrize("share_id", ["", "-a", "a b", "a/b", "a\n", "x" * 65, "ä", 7])
def test_an_id_is_plain(share_id: Any) -> None:
    assert wrong_fields(share_id=share_id) == {"share_id"}


def test_a_protocol_is_one_of_manilas() -> None:
    assert wrong_fields(share_proto="FTP") == {"share_proto"}


def test_a_field_that_no_creation_has_is_refused_by_its_name() -> None:
    assert wrong_fields(colour="red") == {"colour"}
