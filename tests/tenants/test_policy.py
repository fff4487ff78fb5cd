"""The policy alone: pure functions of caller, operation and owner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.errors import Forbidden
from share_actors.events.topics import COMMANDS as TOPICS
from share_actors.policy import (
    COMMANDS,
    CREATIONS,
    INTERNAL,
    OPERATIONS,
    Caller,
    Owner,
    Role,
    caller_of,
    check_role,
    is_permitted,
    may_read,
    not_permitted,
    owner_of,
    shown_to,
)
from share_actors.values import (
    AccessRule,
    BackendState,
    ExportLocation,
    RequestContext,
    Share,
    ShareNetwork,
    ShareServer,
    ShareType,
)

BLUE = Owner("blue")
projects = st.sampled_from(["blue", "red", "green", ""])
roles = st.sampled_from([Role.READER, Role.MEMBER, Role.ADMIN])
operations = st.sampled_from([*sorted(OPERATIONS), *sorted(INTERNAL), "unknown"])
owners = st.builds(Owner, projects, st.lists(projects).map(tuple), st.booleans())


PUBLISHING = {"share.create_public", "share.change_public", "share.lock_by_admin"}
"""Operations that are no commands of their own."""


def test_every_command_is_in_the_table_or_internal() -> None:
    assert set(TOPICS) == (set(COMMANDS) - PUBLISHING) | INTERNAL
    assert set(COMMANDS) & INTERNAL == set()
    assert set(COMMANDS) >= CREATIONS


@pytest.mark.parametrize(
    ("names", "role"),
    [
        ((), Role.ADMIN),
        (("reader",), Role.READER),
        (("Reader",), Role.READER),
        (("reader", "member"), Role.MEMBER),
        (("member",), Role.MEMBER),
        (("member", "admin"), Role.ADMIN),
        (("storage-team",), Role.MEMBER),
        (("storage-team", "reader"), Role.READER),
    ],
)
def test_the_role_of_a_caller_is_the_greatest_of_its_context(
    names: tuple[str, ...], role: Role
) -> None:
    assert caller_of(RequestContext(project_id="blue", roles=names)) == Caller("blue", role)


def test_the_administrator_of_the_system_is_one_by_the_context_not_by_a_role() -> None:
    assert caller_of(RequestContext(is_admin=True)).is_system_admin
    assert caller_of(RequestContext().elevated()).is_system_admin
    assert not caller_of(RequestContext(roles=("admin", "system admin"))).is_system_admin


@given(st.sampled_from(sorted(OPERATIONS)), owners)
def test_the_administrator_of_the_system_may_do_everything(operation: str, owner: Owner) -> None:
    root = Caller("ops", Role.SYSTEM_ADMIN)

    assert may_read(root, owner)
    assert is_permitted(operation, root, owner)


@given(projects, roles, operations, owners)
def test_nobody_changes_what_another_project_owns(
    project: str, role: Role, operation: str, owner: Owner
) -> None:
    caller = Caller(project, role)

    if project != owner.project_id or not project:
        assert not is_permitted(operation, caller, owner)


@given(projects, roles, owners)
def test_only_the_owner_and_the_readers_may_read(project: str, role: Role, owner: Owner) -> None:
    readers = {*owner.readers, *([owner.project_id] if owner.project_id else [])}

    assert may_read(Caller(project, role), owner) == (owner.is_public or project in readers)


@given(operations, st.lists(roles, min_size=2, max_size=2))
def test_a_greater_role_may_do_whatever_a_smaller_one_may(operation: str, two: list[Role]) -> None:
    smaller, greater = (Caller("blue", role) for role in sorted(two))

    assert is_permitted(operation, smaller, BLUE) <= is_permitted(operation, greater, BLUE)


@given(roles, st.sampled_from([*sorted(INTERNAL), "unknown"]))
def test_commands_of_the_system_and_unknown_ones_are_forbidden_to_every_project(
    role: Role, operation: str
) -> None:
    with pytest.raises(Forbidden):
        check_role(operation, Caller("blue", role))


def test_a_refusal_names_the_operation_the_caller_and_the_role_that_it_takes() -> None:
    error = not_permitted("share.create_public", Caller("blue", Role.READER))

    assert error.message == (
        "share.create_public: not permitted to a reader of project blue: it takes the role admin of its"
        " project; nothing was recorded"
    )
    assert (error.code, error.exit_code, error.field) == ("forbidden", 7, "context")


@pytest.mark.parametrize(
    ("entity", "owner"),
    [
        (Share(project_id="blue"), BLUE),
        (Share(project_id="blue", is_public=True), Owner("blue", (), True)),
        (ShareNetwork(project_id="blue"), BLUE),
        (ShareServer(project_id="blue"), BLUE),
        (ShareType(is_public=True), Owner("", (), True)),
        (ShareType(is_public=False, projects=("blue",)), Owner("", ("blue",))),
        (BackendState(), Owner("")),
    ],
)
def test_each_kind_of_entity_has_its_owner(entity: Share, owner: Owner) -> None:
    assert owner_of(entity) == owner


def test_a_public_share_is_shown_to_others_without_its_rules_and_snapshots() -> None:
    rule = AccessRule(id="a", access_type="user", access_to="alice")
    share = Share(project_id="blue", is_public=True, name="data", access_rules=(rule,))
    red, blue = Caller("red", Role.ADMIN), Caller("blue", Role.READER)

    assert shown_to(red, share, owner_of(share)) == share.replace(access_rules=())
    assert shown_to(blue, share, owner_of(share)) == share


def test_export_locations_for_administrators_are_shown_to_those_of_the_system() -> None:
    paths = (ExportLocation(path="/a"), ExportLocation(path="/b", is_admin_only=True))
    share = Share(project_id="blue", export_locations=paths)
    shown = {role: shown_to(Caller("blue", role), share, BLUE).export_locations for role in Role}

    assert shown == {**dict.fromkeys(Role, paths[:1]), Role.SYSTEM_ADMIN: paths}


def test_a_private_type_shows_a_project_no_other_project() -> None:
    vip = ShareType(id="vip", is_public=False, projects=("blue", "green"))
    blue = Caller("blue", Role.ADMIN)

    assert shown_to(blue, vip, owner_of(vip)).projects == ("blue",)
