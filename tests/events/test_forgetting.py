"""Forgetting without a driver call, managing again, and a backend's other name: what is decided."""

from __future__ import annotations

from share_actors.events import backend, share, share_network, share_server
from share_actors.events.attempts import AttemptStarted
from share_actors.events.backend import BackendRenamed, RenameBackend
from share_actors.events.share.access import AccessAllowed, AccessRulesApplied, ApplyRules
from share_actors.events.share.backend_change import ChangeBackend, ShareBackendChanged
from share_actors.events.share.forgetting import ForgetShare, ShareForgetRequested, ShareForgotten
from share_actors.events.share.manage import (
    ConfirmUnmanaged,
    ManageShare,
    ShareManaged,
    ShareManageRequested,
    ShareUnmanageRequested,
    UnmanageShare,
)
from share_actors.events.share.messages import (
    ConfirmCreated,
    RetryRequested,
    ShareDeleted,
    ShareDeletionRequested,
    ShareErrored,
)
from share_actors.events.share.server_attachment import (
    ConfirmReleased,
    ReleaseServer,
    ShareServerAcquired,
)
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotCreated,
    ForgetSnapshot,
    SnapshotForgotten,
    SnapshotRequested,
)
from share_actors.events.share_network import ChangeNetworkBackend, NetworkBackendChanged
from share_actors.events.share_server import (
    ChangeServerBackend,
    ConfirmAddressesDeallocated,
    ConfirmTornDown,
    DeallocateAddresses,
    DetachShare,
    ForgetServer,
    ServerBackendChanged,
    ServerErrored,
    ServerForgetRequested,
    ServerForgotten,
    ServerRetried,
    ShareDetached,
)
from share_actors.testing import Spec
from share_actors.values import ShareServer, ShareSpec
from tests.events.share_events import NOON, began, created, requested
from tests.events.test_share_network import assigned as network_assigned
from tests.events.test_share_network import created as network_created
from tests.events.test_share_server import active as server_active
from tests.events.test_share_server import tearing

WHY = "its disk broke"
forget = ForgetShare(reason=WHY)
asked, forgotten = ShareForgetRequested(reason=WHY), ShareForgotten(reason=WHY)
creating = Spec(share).given(requested(), began("create"))
available = creating.given(created())
gone_reason = "backend 'local' is not configured; there are: other"
allowed = AccessAllowed(access_id="a", access_type="user", access_to="bob", access_level="rw")
_on_network = requested().replace(
    spec=ShareSpec(host="local", project_id="demo", user_id="alice", share_network_id="net")
)
on_server = Spec(share).given(
    _on_network,
    began("server"),
    ShareServerAcquired(server=ShareServer(id="v1", host="local#local")),
)


# -- shares --------------------------------------------------------------------------------------
def test_a_share_is_forgotten_at_once_whatever_is_under_way() -> None:
    creating.when(forget).then(asked, forgotten)
    left = creating.given(asked, forgotten)
    left.then_state(lambda s: (s.share.status, s.share.status_reason), ("unmanaged", WHY))
    left.then_pending(None)
    left.when(ConfirmCreated(export_locations=())).then_rejected("no attempt at create")


def test_a_forgotten_share_is_not_forgotten_again_and_a_deleted_one_never() -> None:
    available.given(asked, forgotten).when(forget).then()
    deleted = available.given(
        ShareDeletionRequested(cascade=False), began("delete"), ShareDeleted()
    )
    deleted.when(forget).then_rejected("the share is deleted")


def test_a_share_on_a_server_is_detached_before_it_is_forgotten() -> None:
    on_server.when(forget).then(asked)
    leaving = on_server.given(asked)
    leaving.then_pending(ReleaseServer())
    leaving.when(forget).then()
    leaving.given(began("release")).when(ConfirmReleased()).then(forgotten)


def test_a_share_that_could_not_be_detached_can_be_forgotten_again() -> None:
    failed = ShareErrored(doing="forget", reason="its network is lost")
    errored = on_server.given(asked, began("release"), failed)
    errored.then_state(lambda s: s.share.status, "unmanage_error")
    errored.when(forget).then(asked)
    errored.given(RetryRequested(works=("forget",))).then_pending(ReleaseServer())


def test_a_share_whose_deletion_failed_is_unmanaged() -> None:
    failed = ShareErrored(doing="delete", reason=gone_reason)
    errored = available.given(ShareDeletionRequested(cascade=False), began("delete"), failed)
    errored.when(UnmanageShare()).then(ShareUnmanageRequested())


def test_unmanaging_without_a_backend_is_forgetting() -> None:
    leaving = available.given(ShareUnmanageRequested(), began("unmanage"))
    leaving.when(ConfirmUnmanaged(gone=WHY)).then(forgotten)


def test_a_forgotten_share_is_managed_again_without_the_rules_that_it_had() -> None:
    with_rule = available.given(allowed, began("access"), AccessRulesApplied(applied=("a",)))
    left = with_rule.given(asked, forgotten)
    again = ManageShare(share_id="s1", spec=requested().spec, at=NOON)
    left.when(again).then(ShareManageRequested(**dict(again)))
    found = ShareManaged(size=1, export_locations=(), pool=None)
    managed = left.given(ShareManageRequested(**dict(again)), began("manage"), found)
    managed.then_state(lambda s: s.share.status, "available")
    [rule] = managed.state.rules.rules.values()
    managed.then_pending(ApplyRules(add=(), delete=(rule,)))


# -- snapshots -----------------------------------------------------------------------------------
def test_a_snapshot_is_forgotten_whatever_is_under_way() -> None:
    taking = available.given(
        SnapshotRequested(snapshot_id="n", name=None, at=NOON), began("snapshot/n/create")
    )
    gone = SnapshotForgotten(snapshot_id="n", reason=WHY)
    taking.when(ForgetSnapshot(snapshot_id="n", reason=WHY)).then(gone)
    left = taking.given(gone)
    left.then_pending(None)
    left.when(ConfirmSnapshotCreated(snapshot_id="n")).then_rejected("no attempt")
    left.when(ForgetSnapshot(snapshot_id="n", reason=WHY)).then_rejected("no snapshot n")


def test_a_forgotten_snapshot_leaves_the_attempt_at_something_else_alone() -> None:
    busy = available.given(
        SnapshotRequested(snapshot_id="n", name=None, at=NOON), allowed, began("access")
    )
    left = busy.given(SnapshotForgotten(snapshot_id="n", reason=WHY))
    assert share.under_way(left.state)


# -- another name of the backend -----------------------------------------------------------------
change = ChangeBackend(old="local", host="nas#nas")
changed = ShareBackendChanged(old="local", host="nas#nas")


def test_a_share_follows_its_backend_and_its_attempt_goes_on() -> None:
    creating.when(change).then(changed)
    moved = creating.given(changed)
    moved.then_state(lambda s: s.share.host, "nas#nas")
    assert share.under_way(moved.state)
    moved.when(change).then()


def test_a_share_of_another_backend_does_not_follow() -> None:
    available.when(change.replace(old="other")).then_rejected("on backend 'local', not on 'other'")


def test_only_what_failed_for_lack_of_the_old_name_is_tried_again() -> None:
    creating.given(ShareErrored(doing="create", reason=gone_reason)).when(change).then(
        changed, RetryRequested(works=("create",))
    )
    creating.given(ShareErrored(doing="create", reason="no space")).when(change).then(changed)


def test_a_share_server_follows_and_its_failed_teardown_is_tried_again() -> None:
    order = ChangeServerBackend(old="blue", host="nas")
    moved = ServerBackendChanged(old="blue", host="nas")
    server_active.when(order).then(moved)
    server_active.given(moved).when(order).then()
    server_active.given(moved).then_state(lambda s: s.server.host, "nas")
    lost = ServerErrored(reason="backend 'blue' is not configured; there are: nas")
    tearing.given(lost).when(order).then(moved, ServerRetried())


def test_a_network_has_its_servers_on_the_new_name() -> None:
    network = Spec(share_network).given(network_created, network_assigned)
    moved = NetworkBackendChanged(old="blue", new="nas")
    network.when(ChangeNetworkBackend(old="blue", new="nas")).then(moved)
    network.when(ChangeNetworkBackend(old="red", new="nas")).then()
    network.given(moved).then_state(
        lambda s: {x.backend for x in s.network.servers.values()}, {"nas"}
    )


def test_a_backend_is_renamed_once() -> None:
    rename = RenameBackend(backend="old", new="new", at=NOON)
    renamed = BackendRenamed(backend="old", new="new", at=NOON)
    Spec(backend).when(rename).then(renamed)
    after = Spec(backend).given(renamed)
    after.then_state(lambda s: (s.status, s.renamed_to), ("renamed", "new"))
    after.when(rename).then()
    after.when(rename.replace(new="other")).then_rejected("renamed to 'new' already")


# -- share servers -------------------------------------------------------------------------------
order = ForgetServer(reason=WHY)
leaving = ServerForgetRequested(reason=WHY)


def test_a_share_server_in_use_is_not_forgotten() -> None:
    server_active.when(order).then_rejected("in use by share s1")


def test_a_share_server_gives_its_addresses_back_and_is_forgotten() -> None:
    unused = server_active.given(ShareDetached(share_id="s1", at=NOON))
    unused.when(order).then(leaving)
    releasing = unused.given(leaving)
    releasing.then_pending(DeallocateAddresses())
    releasing.when(order).then()
    releasing.given(began("give_back")).when(ConfirmAddressesDeallocated()).then(ServerForgotten())


def test_a_teardown_that_is_under_way_does_not_keep_a_server() -> None:
    torn_late = tearing.given(leaving)
    torn_late.when(ConfirmTornDown()).then(share_server.ServerTornDown())
    torn_late.given(ServerErrored(reason="too late")).then_pending(DeallocateAddresses())
    torn_late.when(DetachShare(share_id="s1", at=NOON)).then()


def test_a_share_server_whose_addresses_could_not_be_released_is_tried_again() -> None:
    began_to = AttemptStarted(n=1, effect="give_back", activation="a", timeout_s=1.0)
    errored = tearing.given(leaving, ServerErrored(reason="too late"), began_to).given(
        ServerErrored(reason="its network is lost")
    )
    errored.then_state(lambda s: s.server.status, "error")
    errored.when(order).then(leaving)
    errored.given(ServerRetried()).then_pending(DeallocateAddresses())
