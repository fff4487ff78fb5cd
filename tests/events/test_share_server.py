"""Share servers: each step is pending until its outcome is recorded, and a failed set-up is torn down."""

from __future__ import annotations

from datetime import timedelta

from share_actors.events import share_server
from share_actors.events.attempts import AttemptFailed, AttemptStarted, BeginAttempt, ReportFailure
from share_actors.events.share_server import (
    AddressesAllocated,
    AllocateAddresses,
    AttachShare,
    ConfirmAddressesAllocated,
    ConfirmAddressesDeallocated,
    ConfirmSetUp,
    ConfirmTornDown,
    DeallocateAddresses,
    DeleteServer,
    DetachShare,
    RetryServer,
    ServerDeleted,
    ServerDeletionRequested,
    ServerErrored,
    ServerRequested,
    ServerRetried,
    ServerSetUp,
    ServerSetUpFailed,
    ServerTornDown,
    SetUpServer,
    ShareAttached,
    ShareDetached,
    TearDownServer,
)
from share_actors.testing import Spec
from tests.events.share_events import NOON

LATER = NOON + timedelta(minutes=20)
attach = AttachShare(
    share_id="s1", server_id="v1", host="blue", share_network_id="n1", project_id="demo", at=NOON
)
requested = ServerRequested(
    server_id="v1", host="blue", share_network_id="n1", project_id="demo", at=NOON
)
waiting = ShareAttached(share_id="s1", ready=False)


def began(effect: str, n: int = 1) -> AttemptStarted:
    return AttemptStarted(n=n, effect=effect, activation="a", timeout_s=300.0)


addressed = AddressesAllocated(addresses=("10.0.0.2",))
set_up = ServerSetUp(details={"root": "/srv/v1"})
creating = Spec(share_server).given(requested, waiting)
setting_up = creating.given(began("addresses"), addressed, began("create"))
active = setting_up.given(set_up)
unused = active.given(ShareDetached(share_id="s1", at=NOON))
deletion = ServerDeletionRequested(why="asked")
tearing = unused.given(deletion, began("delete"))


# -- up ------------------------------------------------------------------------------------------
def test_the_first_share_creates_the_server_and_waits_for_its_set_up() -> None:
    Spec(share_server).when(attach).then(requested, waiting)
    creating.when(attach).then()
    assert waiting.opens() == ("share/s1",)


def test_addresses_are_allocated_before_the_set_up() -> None:
    creating.then_pending(AllocateAddresses())
    creating.given(began("addresses")).when(
        ConfirmAddressesAllocated(addresses=("10.0.0.2",))
    ).then(addressed)
    creating.given(began("addresses"), addressed).then_pending(SetUpServer())


def test_a_server_that_is_set_up_is_active_and_has_its_details() -> None:
    setting_up.when(ConfirmSetUp(details={"root": "/srv/v1"})).then(set_up)
    active.then_pending(None)
    active.then_state(lambda s: s.server.backend_details, {"root": "/srv/v1"})
    assert [s.work for s in set_up.settles()] == ["create", "share/*"]


def test_a_share_attached_to_an_active_server_does_not_wait() -> None:
    attached = ShareAttached(share_id="s2", ready=True)
    active.when(attach.replace(share_id="s2")).then(attached)
    assert attached.opens() == ()


def test_an_attempt_with_a_transient_failure_is_repeated() -> None:
    failure = ReportFailure(kind="transient", reason="busy", retry_at=LATER, max_attempts=3)
    failed = AttemptFailed(n=1, effect="create", kind="transient", reason="busy", retry_at=LATER)
    setting_up.when(failure).then(failed)
    setting_up.given(failed).then_pending(SetUpServer())
    assert share_server.not_before(setting_up.given(failed).state) == LATER


# -- a set-up that fails -------------------------------------------------------------------------
def test_a_failed_set_up_keeps_its_details_and_is_torn_down() -> None:
    half = {"vlan": "7"}
    failure = ReportFailure(kind="failed", reason="no memory", details=half)
    event = ServerSetUpFailed(reason="no memory", details=half)
    setting_up.when(failure).then(event)
    after = setting_up.given(event)
    after.then_pending(TearDownServer())
    after.then_state(lambda s: (s.server.backend_details, s.server.shares), (half, ()))
    assert ("share/*", "no memory") in [tuple(s) for s in event.settles()]


def test_a_server_whose_address_allocation_failed_is_not_torn_down_but_releases_addresses() -> None:
    event = ServerSetUpFailed(reason="the network is full", details={})
    allocating = creating.given(began("addresses"))
    allocating.when(ReportFailure(kind="failed", reason="the network is full")).then(event)
    allocating.given(event).then_pending(DeallocateAddresses())


# -- down ----------------------------------------------------------------------------------------
def test_a_server_in_use_is_not_deleted() -> None:
    active.when(DeleteServer()).then_rejected("in use by share s1 .ShareServerInUse")


def test_an_unused_server_is_torn_down_and_its_addresses_are_released() -> None:
    unused.when(DeleteServer()).then(deletion)
    unused.given(deletion).then_pending(TearDownServer())
    tearing.when(ConfirmTornDown()).then(ServerTornDown())
    torn = tearing.given(ServerTornDown())
    torn.then_pending(DeallocateAddresses())
    torn.given(began("give_back")).when(ConfirmAddressesDeallocated()).then(ServerDeleted())
    torn.given(began("give_back"), ServerDeleted()).then_pending(None)


def test_a_free_server_is_deleted_only_if_it_was_unused_long_enough() -> None:
    since = DeleteServer(why="unused", unused_since=NOON)
    unused.when(since).then(ServerDeletionRequested(why="unused"))
    unused.when(since.replace(unused_since=NOON - timedelta(seconds=1))).then_rejected(
        "in use until"
    )
    creating.given(ShareDetached(share_id="s1", at=LATER)).when(since).then_rejected("in use until")


def test_a_server_being_deleted_accepts_no_more_shares() -> None:
    tearing.when(attach.replace(share_id="s2")).then_rejected("deleting and accepts no more shares")
    gone = tearing.given(ServerTornDown(), began("give_back"), ServerDeleted())
    gone.when(attach.replace(share_id="s2")).then_rejected("deleted and accepts no more shares")
    gone.when(DeleteServer()).then()


def test_a_share_attached_before_the_deletion_prevents_it() -> None:
    unused.given(ShareAttached(share_id="s2", ready=True)).when(DeleteServer()).then_rejected(
        "in use"
    )


def test_a_failed_teardown_is_an_error_that_retry_and_delete_resolve() -> None:
    failure = ReportFailure(kind="failed", reason="stuck")
    tearing.when(failure).then(ServerErrored(reason="stuck"))
    errored = tearing.given(ServerErrored(reason="stuck"))
    errored.then_pending(None)
    errored.when(RetryServer()).then(ServerRetried())
    errored.when(DeleteServer()).then(ServerRetried())
    errored.given(ServerRetried()).then_pending(TearDownServer())
    active.when(RetryServer()).then_rejected("active, not in error")


def test_a_server_deleted_during_its_set_up_keeps_the_details_for_the_teardown() -> None:
    left = setting_up.given(ShareDetached(share_id="s1", at=NOON), deletion)
    left.when(ConfirmSetUp(details={"root": "/srv/v1"})).then(set_up)
    after = left.given(set_up)
    after.then_state(
        lambda s: (s.server.status, s.server.backend_details), ("deleting", {"root": "/srv/v1"})
    )
    after.then_pending(TearDownServer())


# -- the rest ------------------------------------------------------------------------------------
def test_detaching_is_idempotent_and_records_since_when_the_server_is_unused() -> None:
    active.when(DetachShare(share_id="s1", at=LATER)).then(ShareDetached(share_id="s1", at=LATER))
    unused.when(DetachShare(share_id="s1", at=LATER)).then()
    unused.then_state(lambda s: s.server.unused_since, NOON)


def test_a_share_that_left_is_not_attached_again() -> None:
    unused.when(attach).then_rejected("share s1 has left")
    not_attached = Spec(share_server).given(ShareDetached(share_id="s1", at=NOON))
    Spec(share_server).when(DetachShare(share_id="s1", at=NOON)).then(
        ShareDetached(share_id="s1", at=NOON)
    )
    not_attached.when(attach).then_rejected("share s1 has left")
    not_attached.then_pending(None)
    not_attached.when(attach.replace(share_id="s2")).then(requested, waiting.replace(share_id="s2"))


def test_an_attempt_starts_only_if_work_is_pending() -> None:
    begin = BeginAttempt(activation="a", timeout_s=300.0)
    creating.when(begin).then(began("addresses"))
    active.when(begin).then_rejected("no work is pending")
    assert share_server.under_way(setting_up.state)
    assert not share_server.under_way(active.state)


def test_a_server_that_no_share_created_does_not_exist() -> None:
    Spec(share_server).when(DeleteServer()).then_rejected("no such share server")
