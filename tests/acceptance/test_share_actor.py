"""A share as a Ray actor: calls from any Ray program, whose results and errors are those of the client."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
import ray

from share_actors import AccessRule, RequestContext, Share, Snapshot
from share_actors.actors.runtime.names import CALLS
from share_actors.client import ShareHandle, ShareSystem, aio
from share_actors.client.aio import AsyncShare
from share_actors.client.manager import Manager
from share_actors.client.share.actor import ShareActor
from share_actors.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    OperationFailed,
    Refused,
    TimedOut,
)
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import MAX_WAIT_S, Site, eventually, kill

CALLS_AT_ONCE = 200


def faulty(site: Site, name: str, **options: object) -> dict[str, object]:
    return {
        "driver": "dummy",
        "backoff_s": 0.05,
        "options": {"directory": str(site.home / name), **options},
    }


@pytest.fixture(scope="module")
def site(new_sites: NewSite) -> Site:
    site = new_sites(hosting={"min_actors": 2, "max_actors": 2})
    slow = faulty(site, "slow", delay_s=1.0)
    broken = faulty(site, "broken", fail={"extend_share": "no space left"})
    settings = site.config.model_dump() | {
        "backends": {"dummy": faulty(site, "dummy"), "slow": slow, "broken": broken}
    }
    site.config = type(site.config)(**settings)
    eventually(lambda: site.system.capabilities().keys() == {"dummy", "slow", "broken"})
    return site


@pytest.fixture
def actor(site: Site) -> ShareActor:
    return site.system.actor(site.system.create_share(size=1, backend="dummy").id)


def allowed(site: Site, share_id: str) -> list[str]:
    return sorted(rule.access_to for rule in site.replayed()[share_id].access_rules)


def test_each_method_returns_what_the_client_returns(site: Site, actor: ShareActor) -> None:
    rule = ray.get(actor.allow_access.remote("10.0.0.0/24", type="ip", level="ro"))
    snapshot = ray.get(actor.create_snapshot.remote("monday"))
    assert ray.get(actor.wait_for.remote("rule-active=10.0.0.0/24")).id == actor.id
    extended = ray.get(actor.extend.remote(3))
    removed = ray.get([actor.deny_access.remote(rule), actor.delete_snapshot.remote(snapshot)])

    assert isinstance(rule, AccessRule)
    assert (rule.access_to, rule.access_level, rule.state) == ("10.0.0.0/24", "ro", "active")
    assert isinstance(snapshot, Snapshot)
    assert snapshot.status == "available"
    assert isinstance(extended, Share)
    assert (extended.size, extended.status) == (3, "available")
    assert removed == [None, None]
    assert ray.get(actor.show.remote()) == site.system.share(actor.id).seen
    assert ray.get(actor.history.remote()) == site.system.share(actor.id).history()
    assert "available" in ray.get(actor.explain.remote()).summary
    assert ray.get(actor.delete.remote(cascade=True)).status == "deleted"


def test_ray_get_raises_the_clients_errors(site: Site, actor: ShareActor) -> None:
    broken = site.system.actor(site.system.create_share(size=1, backend="broken").id)

    with pytest.raises(Refused, match="is not more than the present") as refused:
        ray.get(actor.extend.remote(1))
    with pytest.raises(InvalidRequest) as invalid:
        ray.get(actor.allow_access.remote("bob", level="all"))
    with pytest.raises(NotFound):
        ray.get(site.system.actor("01a00000-0000-7000-8000-000000000000").show.remote())
    with pytest.raises(OperationFailed, match="no space left"):
        ray.get(broken.extend.remote(2))

    assert (refused.value.field, refused.value.value) == ("id", actor.id)
    assert (invalid.value.field, invalid.value.value) == ("access_level", "all")


def test_a_request_is_executed_once_by_its_command_id(site: Site, actor: ShareActor) -> None:
    once = actor.create_snapshot.options(command_id="nightly-1")

    first, second = ray.get([once.remote("a"), once.remote("a")])
    with pytest.raises(InvalidRequest, match="nightly-1"):
        ray.get(once.remote("b"))

    assert first == second
    assert len(ray.get(actor.show.remote()).snapshots) == 1


def test_a_timeout_ends_the_wait_and_the_request_goes_on(site: Site) -> None:
    slow = site.system.actor(site.system.create_share(size=1, backend="slow").id)

    with pytest.raises(TimedOut) as timed_out:
        ray.get(slow.extend.options(timeout=0.3).remote(2))
    accepted = ray.get(slow.allow_access.options(wait=False).remote("bob"))

    assert accepted.state != "active"
    receipt = site.system.receipt(timed_out.value.details["command_id"], slow.id)
    assert site.system.wait(receipt).status == "done"
    assert ray.get(slow.show.remote()).size == 2


def test_ray_wait_gives_two_hundred_calls_as_they_end(site: Site, actor: ShareActor) -> None:
    users = [f"user{n}" for n in range(CALLS_AT_ONCE)]
    waiting = [actor.allow_access.remote(user) for user in users]

    ended = []
    while waiting:
        done, waiting = ray.wait(waiting, timeout=60)
        ended += ray.get(done)

    assert sorted(rule.access_to for rule in ended) == sorted(users) == allowed(site, actor.id)


def test_a_task_and_another_actor_call_a_handle_that_is_passed_to_them(
    site: Site, actor: ShareActor
) -> None:
    @ray.remote(num_cpus=0)
    def allow(handle: ShareActor, user: str) -> AccessRule:
        return ray.get(handle.allow_access.remote(user))

    @ray.remote(num_cpus=0)
    class Provisioner:
        async def allow(self, handle: ShareActor, user: str) -> AccessRule:
            return await handle.allow_access.remote(user)

    provisioner = Provisioner.remote()  # type: ignore[attr-defined]
    rules = ray.get([allow.remote(actor, "task"), provisioner.allow.remote(actor, "actor")])

    assert [rule.access_to for rule in rules] == ["task", "actor"]


def test_a_reference_is_an_argument_of_another_call(site: Site, actor: ShareActor) -> None:
    snapshot: Any = actor.create_snapshot.remote()

    ray.get(actor.delete_snapshot.remote(snapshot))

    assert ray.get(actor.show.remote()).snapshots == ()


def test_the_asynchronous_client_has_the_same_handle(site: Site, actor: ShareActor) -> None:
    async def allow() -> AccessRule:
        async with await aio.connect(namespace=site.config.namespace) as system:
            return await (await system.actor(actor.id)).allow_access.remote("bob")

    assert asyncio.run(allow()).access_to == "bob"


@ray.remote
def extended(share: ShareHandle, size: int) -> ShareHandle:
    """What a task does with the handle that it was given."""
    return share.extend(size)


@ray.remote
def extended_by_await(share: AsyncShare, size: int) -> AsyncShare:
    return asyncio.run(share.extend(size))


@ray.remote
def user_of(system: ShareSystem) -> tuple[str, int]:
    with system:
        return system.context.user_id, system.create_share(size=3, backend="dummy").size


@ray.remote
def shown_by(manager: Manager, share_id: str) -> object:
    return ray.get(manager.view.remote(share_id))


def test_a_handle_of_a_share_is_used_in_a_task_and_comes_back(site: Site) -> None:
    share = site.system.create_share(size=1, backend="dummy")

    back = ray.get(extended.remote(share, 2))

    assert (back.id, back.size, share.refresh().size) == (share.id, 2, 2)
    assert back.extend(3).size == 3
    assert ray.get(extended_by_await.remote(share._share, 4)).size == 4


def test_a_handle_of_the_system_acts_for_its_user_in_a_task_and_does_not_stop_it(
    site: Site,
) -> None:
    mia = RequestContext(user_id="mia", project_id="blue", roles=("member",))

    assert ray.get(user_of.remote(site.system.as_user(mia))) == ("mia", 3)
    assert site.system.status()["manager"]["pid"] == site.manager_pid()


def test_the_manager_is_called_from_a_task_and_describes_its_verbs(
    site: Site, actor: ShareActor
) -> None:
    manager = site.system.manager

    share: Any = ray.get(shown_by.remote(manager, actor.id))

    assert share.id == actor.id
    assert {"create_share", "allow_access", "drain_node"} < set(dir(manager))
    assert manager.create_share.__doc__
    assert "share_id" in str(inspect.signature(manager.create_share))
    assert "create_share(context" in repr(manager.create_share)
    with pytest.raises(AttributeError):
        _ = manager.no_such_verb


def test_a_handle_may_do_what_its_user_may(site: Site, actor: ShareActor) -> None:
    stranger = RequestContext(user_id="eve", project_id="red", roles=("member",))
    reader = RequestContext(user_id="rita", project_id="default", roles=("reader",))

    with pytest.raises(NotFound):
        ray.get(site.system.as_user(stranger).actor(actor.id).show.remote())
    with pytest.raises(NotFound):
        ray.get(site.system.as_user(stranger).actor(actor.id).allow_access.remote("eve"))
    with pytest.raises(Forbidden):
        ray.get(site.system.as_user(reader).actor(actor.id).allow_access.remote("eve"))
    assert ray.get(site.system.as_user(reader).actor(actor.id).show.remote()).id == actor.id


def test_only_the_methods_of_a_share_can_be_called(site: Site, actor: ShareActor) -> None:
    calls: Any = ray.get_actor(CALLS, site.config.namespace)

    for method in ("_send", "receipt", "__init__", "none"):
        with pytest.raises(InvalidRequest, match=f"a share has no method '{method}'"):
            ray.get(calls.call.remote(site.system.context, actor.id, method))


def test_calls_survive_the_loss_of_every_process_and_are_executed_once(site: Site) -> None:
    actor = site.system.actor(site.system.create_share(size=1, backend="slow").id)
    names = [f"snapshot{n}" for n in range(4)]
    pids = [*site.share_actor_pids(), site.manager_pid()]
    refs = [actor.create_snapshot.remote(name) for name in names[:3]]
    assert ray.wait(refs, timeout=MAX_WAIT_S)[1], "some are still in progress"
    for pid in pids:
        kill(pid)
    ray.kill(ray.get_actor(CALLS, site.config.namespace), no_restart=False)
    refs += [actor.create_snapshot.remote(name) for name in names[3:]]

    snapshots = ray.get(refs, timeout=MAX_WAIT_S)

    assert [snapshot.name for snapshot in snapshots] == names
    recorded = site.replayed()[actor.id].snapshots
    assert sorted(snapshot.name or "" for snapshot in recorded) == names
