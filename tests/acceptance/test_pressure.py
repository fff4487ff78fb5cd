"""Overload, and backends that hang or die: requests wait, none is lost, none is done twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import ray

from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    Sender,
    command_message,
    unpack_error,
)
from share_actors.client import ShareHandle, ShareSystem
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.errors import Busy, InvalidRequest
from share_actors.events.share.access import AllowAccess
from share_actors.values import RequestContext
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, eventually, made

NOBODY = Sender.of(RequestContext())
MAILBOX, BACKLOG, IN_MEMORY = 4, 30, 10
POOL = {
    "min_actors": 1,
    "max_actors": 3,
    "mailbox": MAILBOX,
    "backlog": BACKLOG,
    "entities_per_actor": IN_MEMORY,
    "idle_timeout_s": 1.0,
}
FOR_EVER = 3600.0


@pytest.fixture(scope="module")
def site(new_sites: NewSite, tmp_path_factory: pytest.TempPathFactory) -> Site:
    top = tmp_path_factory.mktemp("backends")

    def dummy(name: str, settings: dict[str, Any], **options: Any) -> dict[str, Any]:
        held = {"directory": str(top / name), **options}
        return {"driver": "dummy", "backoff_s": 0.02, "options": held, **settings}

    hangs = {"hang": {"create_share": 1}, "hang_s": FOR_EVER}
    backends = {
        "dummy": dummy("dummy", {}),
        "hangs": dummy("hangs", {"timeout_s": 2.0}, **hangs),
        "shaky": dummy("shaky", {}, transient={"create_share": 2, "extend_share": 2}),
        "deadly": dummy("deadly", {}, exit={"create_share": 1}),
        "alone": dummy("alone", {"dedicated": True}),
    }
    site = new_sites(backends=backends, hosting=POOL)
    site.backend = DummyBackend(top / "dummy")
    return site


@pytest.fixture
def system(site: Site) -> ShareSystem:
    return site.system


def backend(site: Site, name: str) -> DummyBackend:
    return DummyBackend(site.backend.directory.with_name(name))


def attempts(site: Site, share: ShareHandle, method: str = "create_share") -> list[int]:
    calls = backend(site, str(share.refresh().seen.backend)).calls(method, share.id)
    return [call.attempt for call in calls]


# -- too much at once ------------------------------------------------------------------------------
def submitted(system: ShareSystem, share: ShareHandle, clients: list[str]) -> list[CommandReply]:
    """Submit rules for *clients* in one call, without the client's retries; the replies."""
    asks = []
    for client in clients:
        fields = {"access_id": uuid4().hex, "access_type": "user", "access_to": client}
        command = AllowAccess(**fields, access_level="rw")
        asks.append(command_message(share.id, command, NOBODY, client, wait=False, repeated=True))
    manager: Any = system.manager
    answers: list[CommandReply] = ray.get(manager.submit.remote(asks))
    return answers


def busy(answer: CommandReply) -> bool:
    return answer.error is not None and isinstance(unpack_error(answer.error), Busy)


@pytest.mark.parametrize(("n", "taken"), [(20, MAILBOX), (BACKLOG + 20, MAILBOX)])
def test_commands_beyond_the_mailbox_get_busy_and_only_accepted_ones_are_recorded(
    site: Site, system: ShareSystem, n: int, taken: int
) -> None:
    share, clients = system.create_share(size=1), [uuid4().hex for _ in range(n)]
    before = site.head()

    answers = submitted(system, share, clients)

    accepted = [c for c, answer in zip(clients, answers, strict=True) if not busy(answer)]
    assert len(accepted) == taken
    asked = [r.envelope.command_id for r in share.history() if r.position > before]
    assert {command for command in asked if command} <= {share.receipt.command_id, *accepted}  # type: ignore[union-attr]


def test_commands_that_got_busy_are_sent_again_until_each_is_done_once(
    site: Site, system: ShareSystem
) -> None:
    share, clients = system.create_share(size=1), [uuid4().hex for _ in range(60)]
    left = clients

    while left:
        answers = submitted(system, share, left)
        left = [client for client, answer in zip(left, answers, strict=True) if busy(answer)]
    eventually(lambda: all(r.state == "active" for r in share.refresh().access_rules))

    assert sorted(rule.access_to for rule in share.access_rules) == sorted(clients)
    assert len(site.backend.rules(share.id)) == len(clients)


def test_the_client_retries_while_the_system_is_busy(site: Site, system: ShareSystem) -> None:
    name, n = uuid4().hex, BACKLOG * 10

    shares = [made(share) for share in system.create_shares([{"size": 1, "name": name}] * n)]

    assert system.count_shares(name=name) == {"available": n}
    assert all(site.backend.calls("create_share", s.id)[1:] == [] for s in shares[:: n // 10])


def test_ten_thousand_commands_at_once_all_get_a_reply_and_memory_stays_bounded(
    new_site: NewSite,
) -> None:
    site = new_site(hosting={"min_actors": 2, "max_actors": 2, "mailbox": 50, "backlog": 500})
    shares = [made(share) for share in site.system.create_shares([{"size": 1}] * 20)]
    pids = [*site.share_actor_pids(), site.manager_pid()]
    before, head = {pid: resident_mib(pid) for pid in pids}, site.head()
    asked = [_rule(shares[n % 20], f"u{n}") for n in range(10_000)]

    manager: Any = site.system.manager
    parts = [manager.submit.remote(asked[n::40]) for n in range(40)]
    answers = [answer for part in ray.get(parts) for answer in part]

    assert len(answers) == 10_000
    refused = [a for a in answers if busy(a)]
    assert refused
    assert len(refused) < 10_000
    eventually(lambda: all(r.state == "active" for s in shares for r in s.refresh().access_rules))
    assert sum(len(s.access_rules) for s in shares) == 10_000 - len(refused)
    assert site.head() > head
    assert all(resident_mib(pid) - before[pid] < 200 for pid in pids)


def _rule(share: ShareHandle, client: str) -> CommandMessage:
    fields = {"access_id": uuid4().hex, "access_type": "user", "access_to": client}
    command = AllowAccess(**fields, access_level="rw")
    return command_message(share.id, command, NOBODY, client, wait=False, repeated=True)


def resident_mib(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 2**20


# -- memory ----------------------------------------------------------------------------------------
def residents(system: ShareSystem) -> int:
    return sum(actor["shares"] for actor in system.status()["manager"]["actors"])


def test_idle_shares_leave_memory_and_reply_to_the_next_command(
    system: ShareSystem,
) -> None:
    shares = [made(share) for share in system.create_shares([{"size": 1}] * (2 * IN_MEMORY))]

    eventually(lambda: residents(system) == 0)

    assert [share.extend(2).size for share in shares] == [2] * len(shares)


def test_the_number_of_share_actors_grows_to_its_maximum_and_no_further(
    system: ShareSystem,
) -> None:
    def actors() -> int:
        system.create_shares([{"size": 1}] * 6)
        return len(system.status()["manager"]["actors"])

    eventually(lambda: actors() == POOL["max_actors"])
    assert actors() == POOL["max_actors"]


def test_a_share_of_a_dedicated_backend_has_an_actor_of_its_own(new_site: NewSite) -> None:
    backends = {"dummy": {"driver": "dummy"}, "alone": {"driver": "dummy", "dedicated": True}}
    system = new_site(backends=backends, hosting={"min_actors": 2, "max_actors": 3}).system
    alone = system.create_share(size=1, backend="alone")
    manager: Any = system.manager
    home = ray.get(manager.where.remote(alone.id))
    for share in system.create_shares([{"size": 1}] * 6):
        assert ray.get(manager.where.remote(made(share).id))["pid"] != home["pid"]

    assert home["shares"] == 1


# -- backends that misbehave -----------------------------------------------------------------------
def test_a_driver_call_that_hangs_is_repeated_after_its_deadline(
    site: Site, system: ShareSystem
) -> None:
    share = system.create_share(size=1, backend="hangs")

    assert share.status == "available"
    assert attempts(site, share) == [1, 2]


def test_an_actor_with_too_many_hung_calls_is_restarted_and_no_share_is_lost(
    new_site: NewSite, tmp_path: Path
) -> None:
    options = {"directory": str(tmp_path), "hang": {"create_share": 1}, "hang_s": FOR_EVER}
    hangs = {"driver": "dummy", "timeout_s": 0.5, "backoff_s": 0.1, "options": options}
    hosting = {"min_actors": 1, "max_actors": 1, "hung_calls": 4}
    site = new_site(backends={"hangs": hangs}, hosting=hosting)
    (before,) = [int(actor["pid"]) for actor in site.system.status()["manager"]["actors"]]

    shares = [made(s) for s in site.system.create_shares([{"size": 1, "backend": "hangs"}] * 6)]

    eventually(lambda: site.share_actor_pids() != [before])
    assert [share.extend(2).size for share in shares] == [2] * 6
    assert [actor["hung"] for actor in site.system.status()["manager"]["actors"]] == [0]
    assert len(DummyBackend(tmp_path).shares()) == 6


def test_hung_driver_calls_delay_no_other_backend(new_site: NewSite, tmp_path: Path) -> None:
    hangs = {"directory": str(tmp_path), "delay_s": FOR_EVER}
    stuck = {"driver": "dummy", "threads": 2, "timeout_s": FOR_EVER, "options": hangs}
    system = new_site(backends={"stuck": stuck, "well": {"driver": "dummy"}}).system
    waiting = system.create_shares([{"size": 1, "backend": "stuck"}] * 6, wait=False)
    eventually(lambda: len(DummyBackend(tmp_path).calls("create_share")) == 2)

    asked: list[dict[str, Any]] = [{"size": 1, "backend": "well"}] * 20
    shares = [made(share) for share in system.create_shares(asked)]

    assert {share.status for share in shares} == {"available"}
    assert {made(share).refresh().status for share in waiting} == {"creating"}


def test_transient_driver_errors_are_retried_until_they_pass(
    site: Site, system: ShareSystem
) -> None:
    share = system.create_share(size=1, backend="shaky")

    share.extend(2)

    assert attempts(site, share) == [1, 2, 3]
    assert attempts(site, share, "extend_share") == [1, 2, 3]


def test_a_driver_that_ends_its_process_harms_no_other_share(
    site: Site, system: ShareSystem
) -> None:
    asked: list[dict[str, Any]] = [{"size": 1, "backend": b} for b in ("deadly", "dummy") * 4]

    shares = [made(share) for share in system.create_shares(asked)]

    assert {share.status for share in shares} == {"available"}
    assert len(backend(site, "deadly").shares()) == 4


def test_an_invalid_request_among_many_is_the_only_one_refused(system: ShareSystem) -> None:
    asked = [{"size": 0 if i == 7 else 1} for i in range(BACKLOG)]

    answers = system.create_shares(asked)

    assert [i for i, a in enumerate(answers) if isinstance(a, InvalidRequest)] == [7]
    assert sum(isinstance(a, ShareHandle) for a in answers) == BACKLOG - 1
