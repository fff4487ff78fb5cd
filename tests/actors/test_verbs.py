"""The manager's verbs: Manila's names and parameters become commands, replies become results."""

from collections.abc import Collection, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from share_actors.actors.manager.share_verbs import Context, ManagerVerbs
from share_actors.actors.manager.snapshot_verbs import SnapshotVerbs
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    command_in,
    context_in,
    error_reply,
)
from share_actors.config import Config
from share_actors.errors import InvalidRequest, NotFound, Refused, ShareActorsError
from share_actors.events.decider import Command
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.messages import (
    CreateShare,
    DeleteShare,
    ExtendShare,
    ReapplyShare,
    RetryShare,
    RevertToSnapshot,
    ShrinkShare,
)
from share_actors.events.share.snapshot.access import AllowSnapshotAccess, DenySnapshotAccess
from share_actors.events.share.snapshot.messages import CreateSnapshot, DeleteSnapshot
from share_actors.values import RequestContext, nest_spec
from tests.conftest import within

ALICE = {"user_id": "alice", "project_id": "web", "request_id": "req-1"}
NEW, OTHER = "5f0c6a9e-8d0b-4d5e-9b0e-2f4a1a1f5d11", "6a1d7bae-8d0b-4d5e-9b0e-2f4a1a1f5d11"


class Catalog:
    """A catalog with a snapshot and an access rule."""

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        item_id = next(iter(parameters.values()))
        match query, item_id:
            case ("rule_share", "a1") | ("snapshot_share", "n1"):
                return "s1"
            case _:
                return None

    async def ask_as(self, context: RequestContext, query: str, /, **parameters: Any) -> Any:
        return await self.ask(query, **parameters)

    async def figures(self) -> Any:
        raise NotImplementedError


class Cluster:
    catalog = Catalog()

    async def hosts(self) -> Sequence[tuple[str, Any]]:
        raise NotImplementedError

    async def start_host(self, node: str | None = None) -> tuple[str, Any]:
        raise NotImplementedError

    async def nodes(self) -> Sequence[Any]:
        raise NotImplementedError

    async def end_host(self, name: str) -> None:
        raise NotImplementedError

    async def fixed_on(self, node_id: str) -> Mapping[str, str | None]:
        raise NotImplementedError

    async def leave(self, part: str) -> None:
        raise NotImplementedError

    def avoid(self, node_ids: Collection[str]) -> None:
        raise NotImplementedError

    async def stats(self, backend: str, config: Config, node: str | None) -> Any:
        raise NotImplementedError

    async def end_stats(self, backend: str) -> None:
        raise NotImplementedError

    async def probe(self, backend: str, config: Config, node: str) -> Any:
        raise NotImplementedError

    async def save_config(self, config: Config) -> None:
        raise NotImplementedError


class Manager(ManagerVerbs, SnapshotVerbs):
    """Stores the messages; replies with *accepted*, or with *error*, and then with *outcomes*."""

    def __init__(self, home: Path) -> None:
        self._config = Config(home=home, backends={"main": {"driver": "dummy"}})
        self._cluster = Cluster()
        self.messages: list[CommandMessage] = []
        self.error: ShareActorsError | None = None
        self.outcomes: list[list[CommandReply]] = []

    async def submit(self, messages: list[CommandMessage]) -> list[CommandReply]:
        self.messages += messages
        if self.error is not None:
            return [error_reply(message, self.error) for message in messages]
        return [CommandReply(m.share_id, m.command_id, "accepted", 1) for m in messages]

    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, context: Context = None
    ) -> list[CommandReply]:
        return self.outcomes.pop(0)

    @property
    def last_command(self) -> tuple[str, Command]:
        """The share id and the command of the last message."""
        return self.messages[-1].share_id, command_in(self.messages[-1])


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(tmp_path)


def run(verb: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    return within(5, verb)


def creation(**changes: Any) -> CreateShare:
    fields = {"share_id": NEW, "size": 1, "project_id": "web", "user_id": "alice"}
    return CreateShare(**nest_spec({**{**fields, "host": "", **changes}}))


@pytest.mark.parametrize(
    "spec",
    [
        {"size": 2, "name": "data", "share_proto": "CIFS"},
        {"size": 2, "display_name": "data", "protocol": "CIFS", "backend": "main"},
        {"share_properties": {"size": 2, "name": "data", "share_proto": "CIFS"}},
    ],
)
def test_create_share_accepts_all_of_manilas_names_for_properties(
    manager: Manager, spec: Mapping[str, Any]
) -> None:
    run(manager.create_share(ALICE, NEW, request_spec=spec))

    host = "main" if "backend" in spec else ""  # empty: the scheduler chooses
    assert manager.last_command == (
        NEW,
        creation(size=2, name="data", share_proto="CIFS", host=host),
    )


def test_create_share_accepts_properties_as_keywords(manager: Manager) -> None:
    run(manager.create_share(RequestContext(**ALICE), NEW, size=1, metadata={"a": "b"}))

    assert manager.last_command == (NEW, creation(metadata={"a": "b"}))


def test_a_creation_from_a_snapshot_names_it_for_the_manager_to_look_up(manager: Manager) -> None:
    run(manager.create_share(ALICE, OTHER, {"size": 3}, snapshot_id="n1"))

    created = creation(share_id=OTHER, size=3, snapshot_id="n1", default_protocol=True)
    assert manager.last_command == (OTHER, created)


def test_a_default_backend_is_not_asked_for_where_a_snapshot_decides(manager: Manager) -> None:
    manager._config = manager._config.model_copy(update={"default_backend": "main"})

    for snapshot_id, host in ((None, "main"), ("n1", "")):
        run(manager.create_share(ALICE, OTHER, {"size": 3}, snapshot_id=snapshot_id))
        _, command = manager.last_command
        assert isinstance(command, CreateShare)
        assert command.spec.host == host


@pytest.mark.parametrize(
    ("verb", "share_id", "command"),
    [
        (lambda m: m.delete_share(ALICE, "s1"), "s1", DeleteShare()),
        (lambda m: m.delete_share(ALICE, "s1", cascade=True), "s1", DeleteShare(cascade=True)),
        (lambda m: m.extend_share(ALICE, "s1", 5), "s1", ExtendShare(size=5)),
        (lambda m: m.shrink_share(ALICE, "s1", 5), "s1", ShrinkShare(size=5)),
        (
            lambda m: m.revert_to_snapshot(ALICE, "s1", "n1"),
            "s1",
            RevertToSnapshot(snapshot_id="n1"),
        ),
        (lambda m: m.retry_share(ALICE, "s1"), "s1", RetryShare()),
        (lambda m: m.reapply_share(ALICE, "s1"), "s1", ReapplyShare()),
        (
            lambda m: m.allow_access(
                ALICE, OTHER, share_id="s1", access_type="user", access_to="bob"
            ),
            "s1",
            AllowAccess(access_id=OTHER, access_type="user", access_to="bob"),
        ),
        (lambda m: m.deny_access(ALICE, "a1"), "s1", DenyAccess(access_id="a1")),
        (lambda m: m.deny_access(ALICE, "x", share_id="s9"), "s9", DenyAccess(access_id="x")),
        (lambda m: m.create_snapshot(ALICE, "s1", NEW), "s1", CreateSnapshot(snapshot_id=NEW)),
        (lambda m: m.delete_snapshot(ALICE, "n1"), "s1", DeleteSnapshot(snapshot_id="n1")),
        (
            lambda m: m.allow_snapshot_access(
                ALICE, OTHER, snapshot_id="n1", access_type="user", access_to="bob"
            ),
            "s1",
            AllowSnapshotAccess(
                access_id=OTHER, snapshot_id="n1", access_type="user", access_to="bob"
            ),
        ),
        (
            lambda m: m.deny_snapshot_access(ALICE, "a1", snapshot_id="n1"),
            "s1",
            DenySnapshotAccess(access_id="a1", snapshot_id="n1"),
        ),
    ],
)
def test_each_verb_sends_its_command(
    manager: Manager, verb: Any, share_id: str, command: Command
) -> None:
    result = run(verb(manager))

    assert manager.last_command == (share_id, command)
    assert result["share_id"] == share_id
    assert result["status"] == "accepted"


@pytest.mark.parametrize("context", [ALICE, RequestContext(**ALICE)])
def test_a_context_may_be_a_mapping_or_a_request_context(manager: Manager, context: Any) -> None:
    run(manager.delete_share(context, "s1"))

    assert context_in(manager.messages[-1].context) == RequestContext(**ALICE)


@pytest.mark.parametrize("context", [None, {}])
def test_without_a_context_the_operator_makes_the_request(manager: Manager, context: Any) -> None:
    run(manager.delete_share(context, "s1"))

    assert context_in(manager.messages[-1].context) == RequestContext(is_admin=True)


@pytest.mark.parametrize(
    ("verb", "kind", "field"),
    [
        (lambda m: m.create_share(ALICE, NEW, {"size": 0}), InvalidRequest, "size"),
        (lambda m: m.create_share(ALICE, NEW, {"colour": "red"}), InvalidRequest, "colour"),
        (lambda m: m.create_share(ALICE, NEW), InvalidRequest, "size"),
        (lambda m: m.create_share(ALICE, "a b", {"size": 1}), InvalidRequest, "share_id"),
        (lambda m: m.create_share({"user": "x"}, NEW, {"size": 1}), InvalidRequest, "user"),
        (lambda m: m.deny_access(ALICE, "a9"), NotFound, "id"),
        (lambda m: m.delete_snapshot(ALICE, "n9"), NotFound, "id"),
    ],
)
def test_an_invalid_request_is_refused_and_no_command_is_sent(
    manager: Manager, verb: Any, kind: type[ShareActorsError], field: str
) -> None:
    with pytest.raises(kind) as caught:
        run(verb(manager))

    assert caught.value.field == field
    assert manager.messages == []


def test_an_error_reply_is_raised_as_its_own_type(manager: Manager) -> None:
    manager.error = Refused("not now", field="id", value="s1")

    with pytest.raises(Refused, match="not now"):
        run(manager.extend_share(ALICE, "s1", 5))


def test_a_verb_with_wait_returns_the_outcome(manager: Manager) -> None:
    outcome = CommandReply("s1", "c1", "failed", 4, "no space left")
    manager.outcomes = [[], [], [outcome]]

    result = run(manager.extend_share(ALICE, "s1", 5, wait=True, command_id="c1"))

    assert result == {
        "share_id": "s1",
        "command_id": "c1",
        "status": "failed",
        "version": 4,
        "reason": "no space left",
    }
    assert manager.messages[0].repeated
