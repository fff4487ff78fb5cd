"""The matrix of who may do what: the attempts, and which caller may make them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any

from share_actors.client import ShareSystem
from share_actors.client.share.handle import AsyncShare, ShareHandle
from share_actors.errors import ConfigError, Forbidden, NotFound, Refused, Unavailable
from share_actors.values import SnapshotSchedule
from tests.tenants.callers import Blue

Attempt = Callable[[ShareSystem], Any]
_numbers = count()
HOUR = timedelta(hours=1)
HOURLY, DAILY = [SnapshotSchedule.hourly(2)], [SnapshotSchedule.daily(2)]

YES, FORBIDDEN, NOT_FOUND = "yes", "forbidden", "not found"


def _share(act: Callable[[Any], Any]) -> Callable[[Blue], Attempt]:
    """Do *act* on a share of `blue`."""

    def prepare(blue: Blue) -> Attempt:
        share = blue.share()
        return lambda user: act(_handle(user, share))

    return prepare


def _handle(user: ShareSystem, share_id: str) -> Any:
    """A handle of the share that needs no look-up: the system itself has to refuse."""
    return ShareHandle(AsyncShare(user._system._requests, share_id))


def _deny(blue: Blue) -> Attempt:
    share, rule = blue.ruled()
    return lambda user: _handle(user, share).deny_access(rule)


def _snapshot(act: Callable[[Any, str], Any]) -> Callable[[Blue], Attempt]:
    def prepare(blue: Blue) -> Attempt:
        share, snapshot = blue.snapped()
        return lambda user: act(_handle(user, share), snapshot)

    return prepare


def _deny_reader(blue: Blue) -> Attempt:
    share, snapshot = blue.snapped()
    rule = blue.user.share(share).allow_snapshot_access(snapshot, "alice")
    return lambda user: _handle(user, share).deny_snapshot_access(snapshot, rule)


def _restore(blue: Blue) -> Attempt:
    share = blue.share()
    blue.user.share(share).delete(after=HOUR)
    return lambda user: _handle(user, share).restore()


def _unlock(blue: Blue) -> Attempt:
    share = blue.share()
    lock = blue.user.share(share).lock()
    return lambda user: _handle(user, share).unlock(lock)


def _show_snapshot(blue: Blue) -> Attempt:
    _, snapshot = blue.snapped()
    return lambda user: user.snapshot(snapshot)


def _from_snapshot(blue: Blue) -> Attempt:
    _, snapshot = blue.snapped()
    return lambda user: user.create_share(size=1, snapshot_id=snapshot)


def _network(act: Callable[[Any, str], Any]) -> Callable[[Blue], Attempt]:
    def prepare(blue: Blue) -> Attempt:
        network = blue.network()
        return lambda user: act(user.networks, network)

    return prepare


def _remove_service(blue: Blue) -> Attempt:
    network = blue.network()
    service = blue.user.networks.add_security_service(network, type="ldap").id
    return lambda user: user.networks.remove_security_service(network, service)


def _policy(act: Callable[[Any, str], Any]) -> Callable[[Blue], Attempt]:
    """Do *act* with the policies of a user on a policy of `blue`."""

    def prepare(blue: Blue) -> Attempt:
        policy = blue.user.snapshot_policies.create("nightly", HOURLY)
        return lambda user: act(user.snapshot_policies, policy.id)

    return prepare


def _attach(blue: Blue) -> Attempt:
    share, policy = blue.share(), blue.user.snapshot_policies.create("nightly", HOURLY)
    return lambda user: user.snapshot_policies.attach(policy.id, [share])


def _on_network(blue: Blue) -> Attempt:
    network = blue.network()
    return lambda user: user.create_share(size=1, share_network_id=network)


def _server(act: Callable[[Any, str], Any]) -> Callable[[Blue], Attempt]:
    def prepare(blue: Blue) -> Attempt:
        _, server = blue.served()
        return lambda user: act(user.servers, server)

    return prepare


def _delete_server(blue: Blue) -> Attempt:
    server = blue.unused_server()
    return lambda user: user.servers.delete(server)


def _forget_server(blue: Blue) -> Attempt:
    server = blue.unused_server()
    return lambda user: user.servers.forget(server, "lost")


def _receipt(blue: Blue) -> Attempt:
    share = blue.user.create_share(size=1, backend="d", command_id=f"c{next(_numbers)}")
    assert share.receipt is not None
    command_id = share.receipt.command_id
    return lambda user: user.receipt(command_id, share.id)


def _type(*, public: bool, act: Callable[[Any, str], Any]) -> Callable[[Blue], Attempt]:
    """Do *act* on a share type; a private one is for the project `blue`."""

    def prepare(blue: Blue) -> Attempt:
        name, specs = f"type{next(_numbers)}", {"driver_handles_share_servers": "False"}
        projects = () if public else ("blue",)
        blue.operator.types.create(name, specs, is_public=public, projects=projects)
        return lambda user: act(user, name)

    return prepare


def _quota(act: Attempt) -> Callable[[Blue], Attempt]:
    def prepare(blue: Blue) -> Attempt:
        blue.operator.quotas.set({"share_networks": 100}, "blue")
        return act

    return prepare


def _anything(act: Attempt) -> Callable[[Blue], Attempt]:
    return lambda _: act


def _in_list(user: ShareSystem, share: str) -> None:
    if share not in [item.id for item in user.shares(limit=1000).items]:
        raise NotFound(share)


def _listed(blue: Blue) -> Attempt:
    share = blue.share()
    return lambda user: _in_list(user, share)


def _watched(blue: Blue) -> Attempt:
    share = blue.share(name=f"watched{next(_numbers)}")
    name = blue.user.share(share).name

    def attempt(user: ShareSystem) -> None:
        _in_list(user, share)  # a watch of a list without this share waits for one
        assert next(user.watch_shares(name=name)).share.id == share

    return attempt


def _where(blue: Blue) -> Attempt:
    share = blue.share()
    return lambda user: user.where(share)


def _reload(user: ShareSystem) -> None:
    with suppress(ConfigError):  # permitted: the catalog of a system in memory is elsewhere
        user.backends.reload(user.config)


def _refused(act: Callable[[Any], Any]) -> Attempt:
    """Permitted, and then refused, since the backend is configured; or it is being set up."""

    def attempt(user: ShareSystem) -> None:
        try:
            act(user)
        except Unavailable:
            return
        except Refused as error:
            if isinstance(error, Forbidden):
                raise

    return attempt


def _in_bulk(operation: str, **fields: Any) -> Callable[[Blue], Attempt]:
    """Do *operation* in bulk on a share of `blue`, and raise the error of its only item."""

    def prepare(blue: Blue) -> Attempt:
        item = {"share": blue.share(), **fields}
        return lambda user: _only(getattr(user.bulk, operation)([item]))

    return prepare


def _only(results: Any) -> None:
    [result] = results
    if result.error is not None:
        raise result.error


def _delete_unknown(user: ShareSystem) -> None:
    """Permitted, and then nothing is found, since the backend has nothing unknown."""
    with suppress(NotFound):
        user.backends.delete_unknown("d", "nothing")


def _unknown(act: Callable[[ShareSystem], Any]) -> Callable[[ShareSystem], None]:
    """Do *act*, which is permitted if it does not find what it names."""

    def attempt(user: ShareSystem) -> None:
        with suppress(NotFound):
            act(user)

    return attempt


_subjects = _refused(lambda user: user.subjects.list())
_forget_subject = _refused(lambda user: user.subjects.forget("user:nobody"))
_forget_backend = _refused(lambda user: user.backends.forget("d", "lost"))


def _node_history(blue: Blue) -> Attempt:
    blue.operator.nodes.drain("here", wait=False)
    blue.operator.nodes.undrain("here")
    return lambda user: user.nodes.history()


_forget_node = _unknown(lambda user: user.nodes.forget("none", "it burned"))
_drain_node = _unknown(lambda user: user.nodes.drain("none"))
_undrain_node = _unknown(lambda user: user.nodes.undrain("none"))
_accept_node = _unknown(lambda user: user.nodes.accept("none"))
_move_backend = _refused(lambda user: user.backends.move("d", "rack"))
_rename_backend = _refused(lambda user: user.backends.rename("d", "d"))


SPECS = {"driver_handles_share_servers": "False"}
READ = (YES, YES, YES, NOT_FOUND, YES)
CHANGE = (FORBIDDEN, YES, YES, NOT_FOUND, YES)
OPERATE = (FORBIDDEN, FORBIDDEN, FORBIDDEN, NOT_FOUND, YES)
CREATE = (FORBIDDEN, YES, YES, YES, YES)
SYSTEM = (FORBIDDEN, FORBIDDEN, FORBIDDEN, FORBIDDEN, YES)

MATRIX: dict[str, tuple[Callable[[Blue], Attempt], tuple[str, ...]]] = {
    "show a share": (_share(lambda share: share.refresh()), READ),
    "list shares": (_listed, READ),
    "wait for a share": (_share(lambda share: share.wait_for("available")), READ),
    "watch a share": (_share(lambda share: next(share.watch())), READ),
    "watch a list of shares": (_watched, READ),
    "see the history of a share": (_share(lambda share: share.history()), READ),
    "explain a share": (_share(lambda share: share.explain()), READ),
    "see a receipt": (_receipt, READ),
    "create a share": (
        _anything(lambda user: user.create_share(size=1, backend="d")),
        CREATE,
    ),
    "create a public share": (
        _anything(lambda user: user.create_share(size=1, backend="d", is_public=True)),
        (FORBIDDEN, FORBIDDEN, YES, YES, YES),
    ),
    "create shares in bulk": (
        _anything(lambda user: _only(user.bulk.create_shares([{"size": 1, "backend": "d"}]))),
        CREATE,
    ),
    "allow access in bulk": (_in_bulk("allow_access", to="bob"), CHANGE),
    "delete shares in bulk": (_in_bulk("delete_shares"), CHANGE),
    "rename a share": (_share(lambda share: share.set(name="new")), CHANGE),
    "remove a name": (_share(lambda share: share.unset(name=True)), CHANGE),
    "make a share public": (
        _share(lambda share: share.set(is_public=True)),
        (FORBIDDEN, FORBIDDEN, YES, NOT_FOUND, YES),
    ),
    "extend a share": (_share(lambda share: share.extend(3)), CHANGE),
    "shrink a share": (_share(lambda share: share.shrink(1)), CHANGE),
    "revert a share": (_snapshot(lambda share, n: share.revert_to(n)), CHANGE),
    "allow access": (_share(lambda share: share.allow_access("bob")), CHANGE),
    "deny access": (_deny, CHANGE),
    "delete a share": (_share(lambda share: share.delete()), CHANGE),
    "delete a share softly": (_share(lambda share: share.delete(after=HOUR)), CHANGE),
    "restore a share": (_restore, CHANGE),
    "lock a share": (_share(lambda share: share.lock("payroll")), CHANGE),
    "lock a share as an administrator": (
        _share(lambda share: share.lock(by_admin=True)),
        (FORBIDDEN, FORBIDDEN, YES, NOT_FOUND, YES),
    ),
    "unlock a share": (_unlock, CHANGE),
    "unmanage a share": (_share(lambda share: share.unmanage()), OPERATE),
    "forget a share": (_share(lambda share: share.forget("lost")), OPERATE),
    "manage a share": (
        _anything(lambda user: user.manage_share({"size": 1}, backend="d")),
        SYSTEM,
    ),
    "reapply a share": (_share(lambda share: share.reapply()), OPERATE),
    "delete what only the backend has": (
        _anything(_delete_unknown),
        SYSTEM,
    ),
    "preview what would be managed": (
        _anything(lambda user: user.preview_manage({"size": 1}, backend="d")),
        SYSTEM,
    ),
    "show a snapshot": (_show_snapshot, READ),
    "create a snapshot": (_share(lambda share: share.create_snapshot()), CHANGE),
    "allow access to a snapshot": (
        _snapshot(lambda share, i: share.allow_snapshot_access(i, "bob")),
        CHANGE,
    ),
    "deny access to a snapshot": (_deny_reader, CHANGE),
    "delete a snapshot": (_snapshot(lambda share, i: share.delete_snapshot(i)), CHANGE),
    "unmanage a snapshot": (_snapshot(lambda share, i: share.unmanage_snapshot(i)), OPERATE),
    "forget a snapshot": (_snapshot(lambda share, i: share.forget_snapshot(i, "lost")), OPERATE),
    "create a share from a snapshot": (_from_snapshot, CHANGE),
    "show a snapshot policy": (_policy(lambda policies, i: policies.get(i)), READ),
    "see the history of a snapshot policy": (
        _policy(lambda policies, i: policies.history(i)),
        READ,
    ),
    "create a snapshot policy": (
        _anything(lambda user: user.snapshot_policies.create("new", HOURLY)),
        CREATE,
    ),
    "change a snapshot policy": (_policy(lambda policies, i: policies.change(i, DAILY)), CHANGE),
    "attach a snapshot policy to a share": (_attach, CHANGE),
    "detach a snapshot policy": (_policy(lambda policies, i: policies.detach(i, ["x"])), CHANGE),
    "delete a snapshot policy": (_policy(lambda policies, i: policies.delete(i)), CHANGE),
    "show a network": (_network(lambda networks, i: networks.get(i)), READ),
    "explain a network": (_network(lambda networks, i: networks.explain(i)), READ),
    "see the history of a network": (_network(lambda networks, i: networks.history(i)), READ),
    "create a network": (
        _anything(lambda user: user.networks.create(cidr="10.1.0.0/24")),
        CREATE,
    ),
    "create a share on a network": (_on_network, CHANGE),
    "add a security service": (
        _network(lambda networks, i: networks.add_security_service(i, type="ldap")),
        CHANGE,
    ),
    "remove a security service": (_remove_service, CHANGE),
    "delete a network": (_network(lambda networks, i: networks.delete(i)), CHANGE),
    "show a share server": (_server(lambda servers, i: servers.get(i)), READ),
    "see the history of a share server": (_server(lambda servers, i: servers.history(i)), READ),
    "explain a share server": (_server(lambda servers, i: servers.explain(i)), READ),
    "delete a share server": (_delete_server, OPERATE),
    "forget a share server": (_forget_server, OPERATE),
    "delete all unused share servers": (
        _anything(lambda user: user.servers.delete_free()),
        SYSTEM,
    ),
    "show a public type": (
        _type(public=True, act=lambda user, i: user.types.get(i)),
        (YES, YES, YES, YES, YES),
    ),
    "show a private type": (_type(public=False, act=lambda user, i: user.types.get(i)), READ),
    "create a share of a private type": (
        _type(
            public=False,
            act=lambda user, i: user.create_share(size=1, backend="d", share_type=i),
        ),
        CHANGE,
    ),
    "see the history of a private type": (
        _type(public=False, act=lambda user, i: user.types.history(i)),
        OPERATE,
    ),
    "create a type": (
        _anything(lambda user: user.types.create(f"new{next(_numbers)}", SPECS)),
        SYSTEM,
    ),
    "change a private type": (
        _type(public=False, act=lambda user, i: user.types.change(i, is_public=True)),
        OPERATE,
    ),
    "delete a private type": (
        _type(public=False, act=lambda user, i: user.types.delete(i)),
        OPERATE,
    ),
    "show the quotas of a project": (
        _quota(lambda user: user.quotas.usage("blue")),
        READ,
    ),
    "show the limits of a project": (_quota(lambda user: user.quotas.get("blue")), READ),
    "see the history of the limits of a project": (
        _quota(lambda user: user.quotas.history("blue")),
        READ,
    ),
    "set the limits of a project": (
        _quota(lambda user: user.quotas.set({"share_networks": 99}, "blue")),
        SYSTEM,
    ),
    "remove the limits of a project": (
        _quota(lambda user: user.quotas.unset((), "blue")),
        OPERATE,
    ),
    "set the default limits": (
        _anything(lambda user: user.quotas.set_default({"share_networks": -1})),
        SYSTEM,
    ),
    "show a backend": (
        _anything(lambda user: user.backends.get("d")),
        (NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, YES),
    ),
    "see the capacity of a backend over time": (
        _anything(lambda user: user.backends.capacity("d")),
        (NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, YES),
    ),
    "see the statistics of backends": (_anything(lambda user: user.backends.stats()), SYSTEM),
    "have backends report": (_anything(lambda user: user.backends.publish()), SYSTEM),
    "start a backend": (_anything(_refused(lambda user: user.backends.start("d"))), SYSTEM),
    "stop a backend": (_anything(_refused(lambda user: user.backends.stop("d"))), SYSTEM),
    "see how much of a share is used": (_share(lambda share: share.usage()), READ),
    "see who is connected to a share": (_share(_refused(lambda share: share.clients())), READ),
    "see how much of a backend is used": (_anything(lambda user: user.backends.usage("d")), SYSTEM),
    "forget what is on a backend": (_anything(_forget_backend), SYSTEM),
    "rename a backend": (_anything(_rename_backend), SYSTEM),
    "move a backend to another node": (_anything(_move_backend), SYSTEM),
    "list nodes": (_anything(lambda user: user.nodes.list()), SYSTEM),
    "see what was recorded of nodes": (
        _node_history,
        (NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND, YES),
    ),
    "drain a node": (_anything(_drain_node), SYSTEM),
    "undrain a node": (_anything(_undrain_node), SYSTEM),
    "forget a node": (_anything(_forget_node), SYSTEM),
    "accept a node": (_anything(_accept_node), SYSTEM),
    "set backends up": (_anything(lambda user: user.init_host()), SYSTEM),
    "reload the configuration": (_anything(_reload), SYSTEM),
    "see where a share is hosted": (
        _where,
        OPERATE,
    ),
    "see the status of the system": (_anything(lambda user: user.status()), SYSTEM),
    "rebuild the catalog": (_anything(lambda user: user.rebuild_catalog()), SYSTEM),
    "see the versions of the processes": (_anything(lambda user: user.versions()), SYSTEM),
    "finish an upgrade": (_anything(lambda user: user.finish_upgrade()), SYSTEM),
    "see the progress of a rebuild": (_anything(lambda user: user.rebuild_progress()), SYSTEM),
    "follow the events of all projects": (_anything(lambda user: next(user.events())), SYSTEM),
    "retry a parked stream": (_anything(lambda user: user.unpark("share-none")), SYSTEM),
    "list data subjects": (_anything(_subjects), SYSTEM),
    "forget a data subject": (_anything(_forget_subject), SYSTEM),
}
