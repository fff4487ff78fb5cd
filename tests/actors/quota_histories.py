"""Random histories of commands, crashes of managers and lost replies for admission by quotas, and a recount.

The log, its catalog, the deciders and the admission are real. The recount looks at every share and network,
and at every message that was admitted and has no reply. A history is repeated by its seed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from share_actors.actors.catalog import CatalogActor
from share_actors.actors.messaging.messages import (
    CommandMessage,
    CommandReply,
    Sender,
    command_in,
    command_message,
    error_reply,
)
from share_actors.actors.scheduling.admission import Admission
from share_actors.actors.scheduling.quota_limits import Scope
from share_actors.config import Config, QuotaSettings
from share_actors.errors import Busy, InvalidRequest, NotFound, OverQuota, Refused
from share_actors.events import quota, share, share_network
from share_actors.events.attempts import BeginAttempt, ReportFailure
from share_actors.events.decider import Command, Rejected
from share_actors.events.share.creation import ConfirmCreated
from share_actors.events.share.deletion import ConfirmDeleted
from share_actors.events.share.failure import RetryShare
from share_actors.events.share.messages import CreateShare, DeleteShare
from share_actors.events.share.resize import ConfirmResized, ExtendShare, ShrinkShare
from share_actors.events.share.snapshot.messages import (
    ConfirmSnapshotCreated,
    ConfirmSnapshotDeleted,
    CreateSnapshot,
    DeleteSnapshot,
)
from share_actors.events.share_network import CreateShareNetwork, DeleteShareNetwork
from share_actors.events.uses import Use
from share_actors.values import COUNTED, RequestContext, nest_spec
from tests.actors.in_process import in_memory
from tests.events.share_events import NOON, envelope

PROJECTS, USERS, TYPES = ("web", "ops"), ("alice", "bob"), (None, "gold")
LIMITS = (-1, 0, 1, 2, 3, 4, 6, 9, 14, 20)
NOT_RECORDED = (Busy, InvalidRequest, NotFound, Refused)
GONE = ("absent", "deleted", "unmanaged")
_AGGREGATES: dict[str, Any] = {"share": share, "share_network": share_network, "quota": quota}


@dataclass
class Sent:
    """A message that was admitted; what became of it, and which manager waits for its reply.

    *gib*: the size that it asks for, of its share or of its snapshot, as of its admission.
    """

    message: CommandMessage
    manager: Admission
    gib: int = 0
    recorded: bool = False
    refused: bool = False


@dataclass
class World:
    """All entities by address, from a fold of their events that the catalog has no part in."""

    states: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def state(self, address: str) -> Any:
        kind = _AGGREGATES[address.partition(":")[0] if ":" in address else "share"]
        return self.states.get(address, kind.initial)


class History:
    """Projects with quotas, their shares, and one manager after another."""

    def __init__(self, home: Path, seed: int) -> None:
        self.random, self.steps = Random(seed), list[str]()
        self._runner = asyncio.Runner()
        self._config = Config(home=home)
        self._log = in_memory(self._config)
        self._catalog = CatalogActor(self._config, open_log=in_memory)
        self._world, self._sent = World(), list[Sent]()
        self._numbers = self.admitted = self.refused = 0
        self._settings = QuotaSettings(snapshots=self.random.choice(LIMITS[2:]))
        self._start_manager()

    def _start_manager(self) -> None:
        async def is_recorded(message: CommandMessage) -> bool:
            asked = {"share_id": message.share_id, "command_id": message.command_id}
            return bool(await self._catalog.ask("has_command", **asked))

        self._admission = Admission(self._catalog, self._settings, is_recorded)

    def run(self, steps: int) -> None:
        """Take random steps, settle everything at the end, and check what must hold after each."""
        names = [name for name in vars(History) if not name.startswith("_")]
        kinds = [name for name in names if name not in ("run", "close", "settle")]
        weights = [4 if name.startswith(("ask", "deliver", "reply")) else 1 for name in kinds]
        self.set_limits()
        for step in self.random.choices(kinds, weights, k=steps):
            self.steps.append(step)
            getattr(self, step)()
        self.settle()

    def close(self) -> None:
        self._runner.run(self._catalog.stop())
        self._log.close()
        self._runner.close()

    # -- the recount -----------------------------------------------------------------------------
    def _recounted(self, project: str, scope: Scope, more: list[Sent]) -> Use:
        """What every entity of the scope uses, once the messages in *more* are recorded too."""
        total = Use()
        addresses = {*self._world.states, *(sent.message.share_id for sent in more)}
        for address in addresses - {a for a in addresses if a.startswith("quota:")}:
            total = total.plus(self._use(address, project, scope, more))
        return total

    def _use(self, address: str, project: str, scope: Scope, more: list[Sent]) -> Use:
        commands = [command_in(s.message) for s in more if s.message.share_id == address]
        if address.startswith("share_network:"):
            network = self._world.state(address).network
            owners = [(network.project_id, network.user_id)] if network.status == "active" else []
            owners += [(c.project_id, c.user_id) for c in commands]  # type: ignore[attr-defined]
            return Use(share_networks=int(any(_is_in((*o, None), project, scope) for o in owners)))
        state, sent = self._world.state(address), [s for s in more if s.message.share_id == address]
        new = [c for c in commands if isinstance(c, CreateShare)]
        spec = new[0].spec if state.share.status == "absent" and new else state.share
        if not _is_in((spec.project_id, spec.user_id, spec.share_type), project, scope):
            return Use()
        present = state.share.status not in GONE
        growing = state.share.status == "extending" or state.room > state.share.size
        sizes = [state.share.size] * present + [state.resize_to] * (present and growing)
        snapshots = {i: s.size for i, s in state.snapshots.held.items()} if present else {}
        pairs = [*zip(sent, commands, strict=True)]
        gib = max(
            [*sizes, *(s.gib for s, c in pairs if not isinstance(c, CreateSnapshot))], default=0
        )
        for each, command in pairs:
            if isinstance(command, CreateSnapshot):  # an extension may be recorded before it
                snapshots.setdefault(command.snapshot_id, max(each.gib, gib))
        return Use(int(present or bool(new)), gib, len(snapshots), sum(snapshots.values()))

    def _undelivered(self) -> list[Sent]:
        """The messages that were admitted and have not reached their entity."""
        return [sent for sent in self._sent if not sent.recorded and not sent.refused]

    def _limits(self, project: str, scope: Scope) -> dict[str, int]:
        of = self._world.state(quota.address_of(project))
        if scope == Scope():
            default = self._world.state(quota.address_of(None))
            return {**self._settings.model_dump(), **default.of(), **of.of()}
        return dict(of.of(scope.user_id, scope.share_type))

    def _fits(self, sent: Sent, account: tuple[str, str, str | None], others: list[Sent]) -> bool:
        """Whether the message fits into each quota, with all that is used, and with the *others*."""
        project, user, share_type = account
        scopes = [Scope(), Scope(user_id=user)]
        scopes += [Scope(share_type=share_type)] if share_type else []
        return all(self._fits_in(sent, project, scope, others) for scope in scopes)

    def _fits_in(self, sent: Sent, project: str, scope: Scope, others: list[Sent]) -> bool:
        limits = self._limits(project, scope)
        before = self._recounted(project, scope, others)
        after = self._recounted(project, scope, [*others, sent])
        for name, was, now in zip(COUNTED, before, after, strict=False):
            if now > was and -1 < limits.get(name, -1) < now:
                return False
        largest = limits.get("per_share_gigabytes", -1)
        present = self._recounted(project, scope, []).gigabytes
        alone = self._recounted(project, scope, [sent]).gigabytes
        return not (alone > present and -1 < largest < self._size(sent))

    def _size(self, sent: Sent) -> int:
        return int(getattr(command_in(sent.message), "size", 0))

    # -- requests --------------------------------------------------------------------------------
    def _id(self, letter: str) -> str:
        self._numbers += 1
        return f"{letter}{self._numbers}"

    def _shares(self, *statuses: str) -> list[str]:
        items = self._world.states.items()
        return [a for a, s in items if ":" not in a and s.share.status in statuses]

    def _ask(self, address: str, command: Command, project: str, user: str, type_: Any) -> None:
        """Have the manager admit a message, and compare its answer with the recount.

        It is admitted only if it fits with all that is recorded or still may be, and refused only if it does
        not fit together with all messages that have no reply.
        """
        is_admin = self.random.random() < 0.3
        context = RequestContext(user_id=user, project_id=project, is_admin=is_admin)
        message = command_message(address, command, Sender.of(context), self._id("c"))
        sent = Sent(message, self._admission, self._gib(address, command))
        owner, undelivered, unanswered = (project, user, type_), self._undelivered(), [*self._sent]
        if self._is_admitted(message):
            assert self._fits(sent, owner, undelivered), (message.topic, owner)
            self.admitted += 1
            self._sent.append(sent)
        else:
            assert not self._fits(sent, owner, unanswered), (message.topic, owner)
            self.refused += 1

    def _gib(self, address: str, command: Command) -> int:
        match command:
            case CreateShare(size=size) | ExtendShare(size=size):
                return size
            case RetryShare():
                state = self._world.state(address)
                return int(max(state.share.size, state.resize_to if state.doing == "extend" else 0))
            case CreateSnapshot():
                return int(self._world.state(address).share.size)
            case _:
                return 0

    def _is_admitted(self, message: CommandMessage) -> bool:
        """As the middleware asks: at once if that can be, else with a reading."""
        request = message.placement_request

        async def asked() -> None:
            self._admission.before_routing(message)
            if not self._admission.passes(message, request):
                await self._admission.admit(message, request)

        try:
            self._runner.run(asked())
        except OverQuota as error:
            self._answer(self._admission, message, error)
            return False
        return True

    def _answer(
        self, manager: Admission, message: CommandMessage, error: Refused | None = None
    ) -> None:
        reply = CommandReply(message.share_id, message.command_id, "accepted")
        reply = reply if error is None else error_reply(message, error)
        manager.after_reply(message, reply, NOT_RECORDED)

    def ask_to_create(self) -> None:
        project, user = map(self.random.choice, (PROJECTS, USERS))
        type_ = self.random.choice(TYPES)
        share_id = self._id("s")
        fields = {"share_id": share_id, "size": self.random.randint(1, 5), "host": "b#p"}
        owner = {"project_id": project, "user_id": user, "share_type": type_}
        command = CreateShare(**nest_spec({**fields, **owner}))
        self._ask(share_id, command, project, user, type_)

    def ask_to_create_a_network(self) -> None:
        project, user = map(self.random.choice, (PROJECTS, USERS))
        network_id = self._id("n")
        fields = {"network_id": network_id, "cidr": "10.0.0.0/24"}
        command = CreateShareNetwork(**fields, project_id=project, user_id=user)
        self._ask(f"share_network:{network_id}", command, project, user, None)

    def _ask_share(self, statuses: tuple[str, ...], make: Any) -> None:
        if found := self._shares(*statuses):
            address = self.random.choice(found)
            share_ = self._world.state(address).share
            owner = (share_.project_id, share_.user_id, share_.share_type)
            self._ask(address, make(share_), *owner)

    def ask_to_extend(self) -> None:
        more = self.random.randint(1, 6)
        self._ask_share(("available",), lambda s: ExtendShare(size=s.size + more))

    def ask_to_retry(self) -> None:
        self._ask_share(("error",), lambda _: RetryShare())

    def ask_for_a_snapshot(self) -> None:
        self._ask_share(("available",), lambda _: CreateSnapshot(snapshot_id=self._id("x")))

    def repeat_a_message(self) -> None:
        """A client sends a message again that waits for its reply: it is admitted, and counts once."""
        if self._sent:
            sent = self.random.choice(self._sent)
            again = sent.message._replace(repeated=True)
            if not sent.refused:
                assert self._is_admitted(again)
                self._sent.append(replace(sent, message=again))

    # -- what becomes of messages ----------------------------------------------------------------
    def _record(self, address: str, command: Command, command_id: str | None = None) -> bool:
        """Whether the entity at *address* records events for *command*."""
        kind = address.partition(":")[0] if ":" in address else "share"
        aggregate, state = _AGGREGATES[kind], self._world.state(address)
        try:
            events = aggregate.decide(command.stamped(NOON), state)
        except Rejected:
            return False
        version, stream = (
            self._world.versions.get(address, 0),
            f"{kind}-{address.rsplit(':', maxsplit=1)[-1]}",
        )
        entries = [(envelope(command_id), event) for event in events]
        self._runner.run(self._log.append(stream, version, entries))
        for event in events:
            state = aggregate.evolve(state, event)
        self._world.states[address] = state
        self._world.versions[address] = version + len(events)
        return True

    def deliver_a_message(self) -> None:
        if waiting := self._undelivered():
            self._deliver(self.random.choice(waiting))

    def _deliver(self, sent: Sent) -> None:
        message = sent.message
        recorded = self._record(message.share_id, command_in(message), message.command_id)
        for copy in self._sent:  # the entity answers a repeated id with its first answer
            if copy.message.command_id == message.command_id:
                copy.recorded, copy.refused = recorded, not recorded

    def reply_to_a_message(self) -> None:
        if answered := [sent for sent in self._sent if sent.recorded or sent.refused]:
            self._reply(self.random.choice(answered))

    def _reply(self, sent: Sent) -> None:
        self._sent.remove(sent)
        error = Refused("the share is deleting") if sent.refused else None
        self._answer(sent.manager, sent.message, error)

    def kill_the_manager(self) -> None:
        """What it sent is recorded or lost before its successor reads; no reply comes any more."""
        for sent in self._undelivered():
            if self.random.random() < 0.5:
                self._deliver(sent)
        self._sent.clear()
        self._start_manager()

    # -- work and what gives back ----------------------------------------------------------------
    def _begin(self) -> tuple[str, str] | None:
        """Begin the next attempt of some share with pending work: its address, and the effect."""
        shares = [(a, s) for a, s in self._world.states.items() if ":" not in a]
        pending = [(a, effect.key()) for a, s in shares if (effect := share.pending(s)) is not None]
        if not pending:
            return None
        address, key = self.random.choice(pending)
        assert self._record(address, BeginAttempt(activation="a", timeout_s=9.0))
        return address, key

    def finish_work(self) -> None:
        if (begun := self._begin()) is None:
            return
        address, effect = begun
        state = self._world.state(address)
        match effect.split("/"):
            case ["create"]:
                outcome: Command = ConfirmCreated(export_locations=())
            case ["extend" | "shrink" as doing]:
                outcome = ConfirmResized(doing=doing, size=state.resize_to)
            case ["snapshot", i, "create"]:
                outcome = ConfirmSnapshotCreated(snapshot_id=i)
            case ["snapshot", i, _]:
                outcome = ConfirmSnapshotDeleted(snapshot_id=i)
            case _:
                outcome = ConfirmDeleted()
        assert self._record(address, outcome)

    def fail_work(self) -> None:
        if (begun := self._begin()) is not None:
            kind: Any = self.random.choice(("failed", "refused"))
            assert self._record(begun[0], ReportFailure(kind=kind, reason="no"))

    def shrink_or_delete(self) -> None:
        if found := self._shares("available", "error"):
            address = self.random.choice(found)
            size = self._world.state(address).share.size
            if size > 1 and self.random.random() < 0.4:
                self._record(address, ShrinkShare(size=size - 1))
            else:
                self._record(address, DeleteShare())

    def delete_a_snapshot(self) -> None:
        shares = [(a, self._world.state(a).snapshots.held) for a in self._shares("available")]
        if found := [(address, i) for address, held in shares for i in held]:
            address, i = self.random.choice(found)
            self._record(address, DeleteSnapshot(snapshot_id=i))

    def delete_a_network(self) -> None:
        networks = [address for address in self._world.states if address.startswith("share_net")]
        if networks:
            self._record(self.random.choice(networks), DeleteShareNetwork())

    # -- limits ----------------------------------------------------------------------------------
    def set_limits(self) -> None:
        project = self.random.choice((*PROJECTS, None))
        names = self.random.sample(("per_share_gigabytes", *COUNTED), 3)
        scope: dict[str, str] = {}
        if project is not None and (kind := self.random.choice(("user_id", "share_type", ""))):
            scope = {kind: self.random.choice(USERS) if kind == "user_id" else "gold"}
        names = [name for name in names if name != "share_networks" or "share_type" not in scope]
        address = quota.address_of(project)
        fields = {"quota_id": address.partition(":")[2], "project_id": project or "", **scope}
        limits = {name: self.random.choice(LIMITS) for name in names}
        command = quota.SetQuota(**fields, limits=limits)
        message = command_message(address, command, Sender(b"{}", "web"), self._id("c"))
        self._admission.before_routing(message)
        assert self._record(address, command)
        self._answer(self._admission, message)

    # -- what must hold --------------------------------------------------------------------------
    def compare_with_the_recount(self) -> None:
        """What is used and reserved is exactly what a look at every share and message comes to."""
        scopes = [Scope(), *(Scope(user_id=u) for u in USERS), Scope(share_type="gold")]
        for project in PROJECTS:
            for scope in scopes:
                [usage] = self._runner.run(self._admission.usage([project], scope))
                used = [usage.quotas[name].used for name in COUNTED]
                assert used == list(self._recounted(project, scope, []))[:5], (project, scope)

    def settle(self) -> None:
        """Once every message has its reply, nothing is reserved."""
        for sent in self._undelivered():
            self._deliver(sent)
        for sent in list(self._sent):
            self._reply(sent)
        self.compare_with_the_recount()
        assert self._admission.ledger.reservations == 0
        for project in PROJECTS:
            [usage] = self._runner.run(self._admission.usage([project], Scope()))
            assert not any(each.reserved for each in usage.quotas.values())


def _is_in(account: tuple[str, str, str | None], project: str, scope: Scope) -> bool:
    of, user, share_type = account
    return (
        of == project and scope.user_id in (None, user) and scope.share_type in (None, share_type)
    )
