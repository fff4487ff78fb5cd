"""A changing command that is repeated with its `--command-id` is answered the same, and does nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import count

import pytest

from share_actors.client import ShareSystem
from share_actors.client.sync.background_loop import run
from share_actors.values import SnapshotSchedule
from tests.docs.shell import PROGRAM, leaves
from tests.requests.conftest import Run, document
from tests.tenants.callers import Blue

GROUPS = ("share", "access", "snapshot", "network", "server", "type", "snapshot-policy")
READING = {
    *(f"share {name}" for name in ("list", "show", "wait", "usage", "clients", "history")),
    *("share explain", "access list", "snapshot list", "snapshot show", "snapshot rules"),
    *(f"network {name}" for name in ("list", "show", "history", "explain")),
    *(f"server {name}" for name in ("list", "show", "history", "explain")),
    *("type list", "type show", "type history"),
    *(f"snapshot-policy {name}" for name in ("list", "show", "history")),
}
PERIODIC = {"server delete-free"}
"""It does what the system does by itself, to whatever is free then."""


_numbers = count()


def _rule(blue: Blue) -> str:
    share, _ = blue.ruled()
    return f"access deny {share} --to alice"


def _snapshot(words: str) -> Callable[[Blue], str]:
    def line(blue: Blue) -> str:
        share, snapshot = blue.snapped()
        return words.format(share=share, snapshot=snapshot)

    return line


def _share(words: str) -> Callable[[Blue], str]:
    return lambda blue: words.format(share=blue.share(name="old"))


def _type(words: str) -> Callable[[Blue], str]:
    def line(blue: Blue) -> str:
        name = f"type{next(_numbers)}"
        blue.user.types.create(name, {"driver_handles_share_servers": "False"})
        return words.format(name=name)

    return line


def _denied_reader(blue: Blue) -> str:
    share, snapshot = blue.snapped()
    blue.user.share(share).allow_snapshot_access(snapshot, "alice")
    return f"snapshot deny {snapshot} --to alice"


def _unlocked(blue: Blue) -> str:
    share = blue.share()
    return f"share unlock {share} {blue.user.share(share).lock('payroll').id}"


def _kept(blue: Blue) -> str:
    share = blue.share()
    blue.user.share(share).delete(after=timedelta(days=7))
    return f"share restore {share}"


def _removed_service(blue: Blue) -> str:
    network = blue.network()
    service = blue.user.networks.add_security_service(network, type="ldap").id
    return f"network remove-service {network} {service}"


def _policy(words: str) -> Callable[[Blue], str]:
    def line(blue: Blue) -> str:
        policy = blue.user.snapshot_policies.create("nightly", [SnapshotSchedule.daily(7)])
        share = blue.share()
        blue.user.snapshot_policies.attach(policy.id, [share])
        return words.format(policy=policy.id, share=share, other=blue.share())

    return line


def _failed(blue: Blue) -> str:
    """Manage what does not exist: the request fails, and so does the repeated one."""
    return "share manage --option size=0 --backend d"


COMMANDS: Mapping[str, Callable[[Blue], str]] = {
    "share create": lambda _: "share create --size 1 --backend d --name new",
    "share manage": lambda _: "share manage --option size=3 --backend d",
    "share extend": _share("share extend {share} --size 9"),
    "share shrink": _share("share shrink {share} --size 1"),
    "share set": _share("share set {share} --name new --metadata team=web"),
    "share unset": _share("share unset {share} --name"),
    "share delete": _share("share delete {share}"),
    "share unmanage": _share("share unmanage {share}"),
    "share forget": _share("share forget {share} --reason lost"),
    "share reapply": _share("share reapply {share}"),
    "share lock": _share("share lock {share} --reason payroll"),
    "share unlock": _unlocked,
    "share restore": _kept,
    "share revert": _snapshot("share revert {share} night"),
    "access allow": _share("access allow {share} --to bob"),
    "access deny": _rule,
    "snapshot create": _share("snapshot create {share} --name noon"),
    "snapshot delete": _snapshot("snapshot delete {snapshot}"),
    "snapshot unmanage": _snapshot("snapshot unmanage {snapshot}"),
    "snapshot forget": _snapshot("snapshot forget {snapshot} --reason lost"),
    "snapshot manage": _share("snapshot manage {share} --location /old"),
    "snapshot allow": _snapshot("snapshot allow {snapshot} --to bob"),
    "snapshot deny": _denied_reader,
    "network create": lambda _: "network create --cidr 10.9.0.0/24 --name green",
    "network delete": lambda blue: f"network delete {blue.network()}",
    "network add-service": lambda blue: f"network add-service {blue.network()} --type ldap",
    "network remove-service": _removed_service,
    "server delete": lambda blue: f"server delete {blue.unused_server()}",
    "server forget": lambda blue: f"server forget {blue.unused_server()} --reason lost",
    "snapshot-policy create": lambda _: "snapshot-policy create hourly --hourly 24",
    "snapshot-policy change": _policy("snapshot-policy change {policy} --weekly 4"),
    "snapshot-policy attach": _policy("snapshot-policy attach {policy} {other}"),
    "snapshot-policy detach": _policy("snapshot-policy detach {policy} {share}"),
    "snapshot-policy delete": _policy("snapshot-policy delete {policy}"),
    "type create": lambda _: "type create tin --spec driver_handles_share_servers=False",
    "type change": _type("type change {name} --spec 'thin_provisioning=<is> True'"),
    "type delete": _type("type delete {name}"),
}
RETRIES = {"share retry", "server retry"}
"""They are refused unless something has failed; `test_several_targets.py` tries one."""


def recorded(system: ShareSystem, command_id: str) -> int:
    """The number of events of the entity that a request was about."""
    address = system.receipt(command_id).share_id
    return len(run(system._system._requests.history(address)))


def test_every_changing_command_about_one_entity_takes_the_id_of_the_request() -> None:
    named = {path.removeprefix(f"{PROGRAM} "): command for path, command in leaves()}
    of_groups = {path for path in named if path.split()[0] in GROUPS}
    with_id = {p for p in named if any("--command-id" in x.opts for x in named[p].params)}

    assert with_id == of_groups - READING - PERIODIC
    assert with_id == {*COMMANDS, *RETRIES}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_repeated_command_is_answered_the_same_and_records_nothing(
    system: ShareSystem, blue: Blue, cli: Run, name: str
) -> None:
    command_id = f"again-{name.replace(' ', '-')}"
    line = f"{COMMANDS[name](blue)} --command-id {command_id} --json"

    first = cli(line)
    before = recorded(system, command_id)
    second = cli(line)

    assert first.exit_code == 0, first.output
    assert (second.exit_code, document(second)) == (0, document(first))
    assert recorded(system, command_id) == before


def test_a_failed_command_fails_again_with_the_same_reason(
    system: ShareSystem, blue: Blue, cli: Run
) -> None:
    line = f"{_failed(blue)} --command-id failing --json"
    first = cli(line)
    before = recorded(system, "failing")

    second = cli(line)

    assert first.exit_code == second.exit_code != 0
    assert document(first)["error"]["message"] == document(second)["error"]["message"]
    assert recorded(system, "failing") == before


def test_the_id_of_another_request_is_refused(blue: Blue, cli: Run) -> None:
    share = blue.share()
    cli(f"share extend {share} --size 5 --command-id used")

    result = cli(f"share extend {share} --size 6 --command-id used --json")

    assert result.exit_code == 3
    assert document(result)["error"]["field"] == "command_id"


def test_a_repeated_deletion_by_name_does_not_delete_the_share_that_has_the_name_now(
    system: ShareSystem, blue: Blue, cli: Run
) -> None:
    old = blue.share(name="reused")
    first = cli("share delete reused --command-id once --json")
    new = blue.share(name="reused")

    second = cli("share delete reused --command-id once --json")

    assert document(first)["id"] == document(second)["id"] == old
    assert system.share(new).status == "available"


def test_a_repeated_renaming_finds_the_share_by_its_former_name(
    system: ShareSystem, blue: Blue, cli: Run
) -> None:
    share = blue.share(name="former")
    cli("share set former --name latter --command-id rename")

    result = cli("share set former --name latter --command-id rename --json")

    assert (result.exit_code, document(result)["id"]) == (0, share)


def test_a_repeated_deletion_of_a_network_by_name_is_done(blue: Blue, cli: Run) -> None:
    cli("network create --cidr 10.7.0.0/24 --name brief")
    cli("network delete brief --command-id net")

    result = cli("network delete brief --command-id net --json")

    assert (result.exit_code, document(result)["status"]) == (0, "deleted")
