"""Another project's things are answered like things that do not exist, by the system itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from share_actors.actors.messaging.messages import Sender, command_message, unpack_error
from share_actors.client import ShareSystem
from share_actors.client.share.handle import AsyncShare, ShareHandle
from share_actors.client.sync.background_loop import run
from share_actors.errors import Ambiguous, Forbidden, InvalidRequest, NotFound, Refused
from share_actors.events.decider import Command
from share_actors.events.share.messages import CreateShare, DeleteShare
from share_actors.events.share_server import DetachShare
from share_actors.values import RequestContext, Snapshot, nest_spec
from tests.tenants.callers import NOWHERE, OTHER, Blue, error_of

SPECS = {"driver_handles_share_servers": "False"}
SAME_ID = "01a00000-0000-7000-8000-00000000000a"


def handle(user: ShareSystem, share_id: str) -> ShareHandle:
    return ShareHandle(AsyncShare(user._system._requests, share_id))


def verb(user: ShareSystem, name: str, *args: Any, **keywords: Any) -> Any:
    """Call a verb of the manager, as a plain Ray program does."""
    return run(user._system._connection.call_manager(name, user.context, *args, **keywords))


QUESTIONS: dict[str, Callable[[ShareSystem, str], Any]] = {
    "share": lambda user, i: user.share(i),
    "refresh": lambda user, i: handle(user, i).refresh(),
    "delete": lambda user, i: handle(user, i).delete(cascade=True),
    "set": lambda user, i: handle(user, i).set(name="mine", is_public=False),
    "extend": lambda user, i: handle(user, i).extend(9),
    "shrink": lambda user, i: handle(user, i).shrink(1),
    "revert": lambda user, i: handle(user, i).revert_to("snap"),
    "allow": lambda user, i: handle(user, i).allow_access("eve"),
    "deny": lambda user, i: handle(user, i).deny_access("rule"),
    "retry": lambda user, i: handle(user, i).retry(),
    "snapshot": lambda user, i: handle(user, i).create_snapshot(),
    "delete snapshot": lambda user, i: handle(user, i).delete_snapshot("snap"),
    "allow snapshot": lambda user, i: handle(user, i).allow_snapshot_access("snap", "eve"),
    "deny snapshot": lambda user, i: handle(user, i).deny_snapshot_access("snap", "rule"),
    "unmanage": lambda user, i: handle(user, i).unmanage(),
    "history": lambda user, i: user.history(i),
    "explain": lambda user, i: handle(user, i).explain(),
    "where": lambda user, i: user.where(i),
    "receipt": lambda user, i: user.receipt("deploy", i),
    "wait": lambda user, i: user.wait(user.receipt("deploy", i)),
    "verb delete_share": lambda user, i: verb(user, "delete_share", i),
    "verb extend_share": lambda user, i: verb(user, "extend_share", i, 9),
    "verb deny_access": lambda user, i: verb(user, "deny_access", "rule", share_id=i),
    "verb unmanage_share": lambda user, i: verb(user, "unmanage_share", i),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_share_of_another_project_is_answered_like_one_that_does_not_exist(
    system: ShareSystem, blue: Blue, question: str
) -> None:
    red, share, ask = system.as_user(OTHER), blue.share(command_id=None), QUESTIONS[question]

    foreign, missing = error_of(lambda: ask(red, share)), error_of(lambda: ask(red, NOWHERE))

    assert isinstance(foreign, NotFound)
    assert str(foreign).replace(share, NOWHERE) == str(missing)
    assert blue.user.share(share).status == "available"


ENTITY_QUESTIONS: dict[str, tuple[str, Callable[[ShareSystem, str], Any]]] = {
    "network": ("network", lambda user, i: user.networks.get(i)),
    "network history": ("network", lambda user, i: user.networks.history(i)),
    "network deletion": ("network", lambda user, i: user.networks.delete(i)),
    "service": ("network", lambda user, i: user.networks.add_security_service(i, type="ldap")),
    "share on network": (
        "network",
        lambda user, i: user.create_share(size=1, share_network_id=i),
    ),
    "snapshot": ("snapshot", lambda user, i: user.snapshot(i)),
    "share from snapshot": (
        "snapshot",
        lambda user, i: user.create_share(size=1, snapshot_id=i),
    ),
    "verb delete_snapshot": ("snapshot", lambda user, i: verb(user, "delete_snapshot", i)),
    "verb unmanage_snapshot": ("snapshot", lambda user, i: verb(user, "unmanage_snapshot", i)),
    "verb deny_access": ("rule", lambda user, i: verb(user, "deny_access", i)),
    "server": ("server", lambda user, i: user.servers.get(i)),
    "server history": ("server", lambda user, i: user.servers.history(i)),
    "server deletion": ("server", lambda user, i: user.servers.delete(i)),
    "server retry": ("server", lambda user, i: user.servers.retry(i)),
}


@pytest.mark.parametrize("question", ENTITY_QUESTIONS)
def test_other_things_of_another_project_are_answered_like_missing_ones(
    system: ShareSystem, blue: Blue, question: str
) -> None:
    kind, ask = ENTITY_QUESTIONS[question]
    make: dict[str, Callable[[], str]] = {
        "network": blue.network,
        "snapshot": lambda: blue.snapped()[1],
        "rule": lambda: blue.ruled()[1],
        "server": lambda: blue.served()[1],
    }
    red, thing = system.as_user(OTHER), make[kind]()

    foreign, missing = error_of(lambda: ask(red, thing)), error_of(lambda: ask(red, NOWHERE))

    assert isinstance(foreign, NotFound)
    assert str(foreign).replace(thing, NOWHERE) == str(missing)


def test_lists_and_counts_have_what_belongs_to_the_project(system: ShareSystem, blue: Blue) -> None:
    blue.ruled()
    blue.snapped()
    blue.served()
    red = system.as_user(RequestContext(user_id="u", project_id="empty"))

    assert not any((red.shares().items, red.snapshots().items, red.rules().items))
    assert not any(c.list().items for c in (red.networks, red.servers, red.backends))
    assert red.count_shares() == {}
    assert red.snapshots(project_id="blue").items == ()
    assert all(share.seen.is_public for share in red.shares(project_id="blue").items)
    assert all(share.seen.project_id == "blue" for share in blue.user.shares().items)
    assert blue.user.rules().items
    assert blue.user.snapshots().items
    assert blue.user.servers.list().items


def test_a_name_means_the_share_of_ones_own_project(system: ShareSystem, blue: Blue) -> None:
    red = system.as_user(OTHER)
    theirs = blue.share(name="data")

    assert isinstance(error_of(lambda: red.share("data")), NotFound)
    mine = red.create_share(size=1, backend="d", name="data")

    assert red.share("data").id == mine.id
    assert blue.user.share("data").id == theirs
    assert isinstance(error_of(lambda: blue.operator.share("data")), Ambiguous)
    ops = blue.operator.create_share(size=1, backend="d", name="data")
    assert blue.operator.share("data").id == ops.id


def test_a_name_means_the_network_of_ones_own_project(system: ShareSystem, blue: Blue) -> None:
    red = system.as_user(OTHER)
    blue.user.networks.create(cidr="10.0.0.0/24", name="office")

    assert isinstance(error_of(lambda: red.networks.get("office")), NotFound)
    mine = red.networks.create(cidr="10.0.0.0/24", name="office")

    assert red.networks.get("office").id == mine.id
    assert isinstance(error_of(lambda: blue.operator.networks.get("office")), Ambiguous)


# -- command ids -----------------------------------------------------------------------------------
def test_a_command_id_is_the_projects_own(system: ShareSystem, blue: Blue) -> None:
    red = system.as_user(OTHER)
    theirs = blue.share(command_id="deploy-1")

    assert isinstance(error_of(lambda: red.receipt("deploy-1")), NotFound)
    mine = red.create_share(size=1, backend="d", command_id="deploy-1")

    assert mine.id != theirs
    assert red.receipt("deploy-1").share_id == mine.id
    assert blue.user.receipt("deploy-1").share_id == theirs
    assert red.create_share(size=1, backend="d", command_id="deploy-1").id == mine.id
    assert isinstance(error_of(lambda: blue.operator.receipt("deploy-1")), Ambiguous)
    again = error_of(lambda: red.create_share(size=2, backend="d", command_id="deploy-1"))
    assert isinstance(again, InvalidRequest)


def test_a_generated_command_id_of_another_project_creates_another_share(
    system: ShareSystem, blue: Blue
) -> None:
    share = blue.user.create_share(size=1, backend="d")
    assert share.receipt is not None
    red = system.as_user(OTHER)

    mine = red.create_share(size=1, backend="d", command_id=share.receipt.command_id)

    assert mine.id != share.id


def test_two_projects_may_use_one_command_id_on_one_share(system: ShareSystem, blue: Blue) -> None:
    share = blue.share(command_id="first")
    handle(blue.operator, share).extend(3, command_id="grow")
    handle(blue.user, share).extend(4, command_id="grow")

    assert blue.user.share(share).size == 4
    assert blue.user.receipt("grow", share).version > blue.operator.receipt("grow", share).version


def test_the_operator_finds_the_request_of_any_project(system: ShareSystem, blue: Blue) -> None:
    share = blue.share(command_id="found-by-the-operator")

    assert blue.operator.receipt("found-by-the-operator").share_id == share


# -- public shares ---------------------------------------------------------------------------------
def test_a_public_share_is_read_by_all_and_changed_by_its_project(
    system: ShareSystem, blue: Blue
) -> None:
    admin = system.as_user(RequestContext(project_id="blue"))
    share = admin.create_share(size=1, backend="d", name="mirror", is_public=True)
    share.allow_access("alice")
    share.create_snapshot("night")
    red = system.as_user(OTHER)

    seen = red.share("mirror")
    assert (seen.id, seen.access_rules, seen.snapshots) == (share.id, (), ())
    assert [s.id for s in red.shares(is_public=True, name="mirror").items] == [share.id]
    assert [s.id for s in red.shares(project_id="blue", name="mirror").items] == [share.id]
    assert not red.shares(name="mirror").items
    assert not red.rules(share_id=share.id).items
    assert red.count_shares(is_public=True)["available"] >= 1
    for change in (seen.delete, lambda: seen.extend(2), lambda: seen.allow_access("eve")):
        assert isinstance(error_of(change), Forbidden)
    assert isinstance(error_of(seen.history), Forbidden)
    assert len(admin.share(share.id).access_rules) == 1


# -- types -----------------------------------------------------------------------------------------
def test_private_types_are_listed_and_shown_to_their_projects_alone(
    system: ShareSystem, blue: Blue
) -> None:
    create = blue.operator.types.create
    create("open", SPECS)
    create("vip", SPECS, is_public=False, projects=("blue", "green"))
    red, green = system.as_user(OTHER), system.as_user(RequestContext(project_id="green"))

    listed = {user.context.project_id: _type_names(user) for user in (red, green, blue.user)}
    assert ("vip" in listed["red"], "vip" in listed["green"], "vip" in listed["blue"]) == (
        False,
        True,
        True,
    )
    assert "open" in listed["red"]
    assert blue.user.types.get("vip").projects == ("blue",)
    assert blue.operator.types.get("vip").projects == ("blue", "green")


def _type_names(user: ShareSystem) -> list[str]:
    """The names of the types in pages of one."""
    names, marker = [], None
    while True:
        page = user.types.list(limit=1, marker=marker)
        names += [item.id for item in page.items]
        if (marker := page.next_marker) is None:
            return names


# -- what clients cannot say, but messages can -------------------------------------------------------
def sent(user: ShareSystem, address: str, command: Command, context: RequestContext) -> Exception:
    """The error of a message that the client's methods never send."""
    message = command_message(address, command, Sender.of(context), "forged-1")
    [reply] = run(user._system._connection.call_manager("submit", [message]))
    assert reply.error is not None
    return unpack_error(reply.error)


def creation(**fields: Any) -> CreateShare:
    fields = {"share_id": NOWHERE, "size": 1, "host": "d", "project_id": "red", **fields}
    return CreateShare(**nest_spec({"user_id": "eve", **fields}))


def test_a_share_of_another_project_cannot_be_created(system: ShareSystem) -> None:
    error = sent(system, NOWHERE, creation(project_id="blue"), OTHER)

    assert isinstance(error, InvalidRequest)
    assert error.field == "project_id"


def test_a_snapshot_of_another_project_that_a_message_claims_to_have_is_not_found(
    system: ShareSystem, blue: Blue
) -> None:
    share, snapshot = blue.snapped()
    source = Snapshot(id=snapshot, share_id=share, size=1, status="available")

    assert isinstance(sent(system, NOWHERE, creation(source=source), OTHER), NotFound)


def test_the_id_of_another_projects_share_cannot_be_taken(system: ShareSystem, blue: Blue) -> None:
    share = blue.share()

    error = error_of(
        lambda: system.as_user(OTHER).create_share(size=2, backend="d", share_id=share)
    )

    assert isinstance(error, Refused)
    assert not re.search("blue|available", str(error))


def test_commands_of_the_system_itself_are_forbidden_to_projects(
    system: ShareSystem, blue: Blue
) -> None:
    share, server = blue.served()

    error = sent(system, f"share_server:{server}", DetachShare(share_id=share), OTHER)

    assert isinstance(error, Forbidden)
    assert blue.operator.servers.get(server).shares == (share,)


def test_a_message_without_a_role_is_not_the_operators(system: ShareSystem, blue: Blue) -> None:
    share = blue.share()
    context = RequestContext(user_id="eve", project_id="red")

    assert isinstance(sent(system, share, DeleteShare(), context), NotFound)
    assert blue.user.share(share).status == "available"


def test_a_snapshot_id_that_two_projects_use_means_ones_own(
    system: ShareSystem, blue: Blue
) -> None:
    (share, _), red = blue.snapped(), system.as_user(OTHER)
    mine = red.create_share(size=1, backend="d")
    for user, share_id in ((blue.user, share), (red, mine.id)):
        verb(user, "create_snapshot", share_id, SAME_ID, wait=True)

    assert red.snapshot(SAME_ID).share_id == mine.id
    assert red.create_share(size=1, snapshot_id=SAME_ID).status == "available"
    assert isinstance(error_of(lambda: blue.operator.snapshot(SAME_ID)), Ambiguous)
