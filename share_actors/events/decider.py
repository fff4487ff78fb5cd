"""The shape of an aggregate: a module with `initial`, `decide`, `evolve` and `pending`, all pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import reduce
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

from share_actors.values import Frozen, Internal, PlacementRequest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Command(Frozen):
    """A request, named in the imperative. It may be refused.

    A command that needs the time has a field `at`, which the entity's shell sets (`stamped`). *topic* is the
    stable short name under which it is sent; a command that an entity gives itself has none.
    """

    topic: ClassVar[str] = ""
    from_outside: ClassVar[bool] = True
    """Whether clients send it, so that its texts are checked; a backend's texts are its driver's."""
    secrets: ClassVar[tuple[str, ...]] = ()
    """The fields that hold secrets, as dotted names: no error shows them, and the log has them sealed."""

    def __init_subclass__(cls, *, topic: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.topic = topic

    def destination(self) -> str:
        """Return the host (`backend` or `backend#pool`) that a new entity goes to; empty: none is named."""
        return ""

    def placement_request(self) -> PlacementRequest | None:
        """Return what the scheduler has to know before the command goes to its entity, if anything."""
        return None

    @classmethod
    def is_secret(cls, field: str) -> bool:
        """Return whether *field*, a dotted name, is one of the secrets or part of one."""
        return any(f"{field}.".startswith(f"{secret}.") for secret in cls.secrets)

    @classmethod
    def holds_secret(cls, field: str) -> bool:
        """Return whether *field*, a dotted name, is or holds one of the secrets; empty: the whole command."""
        holds = any(not field or f"{secret}.".startswith(f"{field}.") for secret in cls.secrets)
        return holds or cls.is_secret(field)

    def operation(self) -> str:
        """Return the name of the operation in the table of permissions; see `share_actors.policy`."""
        return self.topic

    def owning_project(self) -> str | None:
        """Return the project that a new entity is to belong to; None: the command creates none."""
        return None

    def work(self) -> str | None:
        """Return the requested work, such as `create`; a repeated command joins it while it is pending."""
        return None

    def stamped(self, now: datetime) -> Self:
        """Return this command with the time of the request, if it has a field for it."""
        return self.replace(at=now) if "at" in self.__dict__ else self


class Settled(NamedTuple):
    """The end of a work; *failed* is the reason for a failure, None for success."""

    work: str
    failed: str | None = None

    def ends(self, work: str) -> bool:
        """Return whether it is the end of *work*; a `*` in `self.work` matches any text."""
        head, star, tail = self.work.partition("*")
        return work.startswith(head) and work.endswith(tail) if star else work == head


class Event(Internal):
    """A fact, named in the past tense. It is never refused and never edited.

    `schema_version` grows when a field without a default is added or a field's meaning changes; then
    `events/log/upcasting.py` gets an upcaster from the previous version. *topic* is the stable short name
    under which it is stored.
    """

    topic: ClassVar[str] = ""

    def __init_subclass__(cls, *, topic: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.topic = topic

    schema_version: ClassVar[int] = 1

    def opens(self) -> tuple[str, ...]:
        """Return the works that become pending with this event, such as `create` or `rule/ID/allow`."""
        return ()

    def awaits(self) -> tuple[str, ...]:
        """Return the works that were pending before and whose ends its request waits for."""
        return ()

    def settles(self) -> tuple[Settled, ...]:
        """Return the works that end with this event; a `*` in `Settled.work` matches any text."""
        return ()


class Effect(Internal):
    """Pending work outside the log, computed from the state; its outcome is a command."""

    def key(self) -> str:
        """Return the name of the effect; the attempts of one name are counted together."""
        return type(self).__name__


class RequestJoined(Event, topic="request.joined"):
    """A further request for pending work; the state does not change, only who waits for the outcome.

    Recorded so that an accepted request has a receipt and an outcome also after a crash.
    """

    work: str

    def awaits(self) -> tuple[str, ...]:
        """Return the joined work."""
        return (self.work,)


class Rejected(Exception):
    """The command is not possible in the current state; nothing is recorded."""


class Missing(Rejected):
    """The command names something that does not exist: its *field* is *value*."""

    def __init__(self, kind: str, *, field: str, value: str) -> None:
        super().__init__(f"there is no {kind} {value}")
        self.field, self.value = field, value


C_contra = TypeVar("C_contra", contravariant=True)
E = TypeVar("E")
S = TypeVar("S")
F_co = TypeVar("F_co", covariant=True)


class Decider(Protocol[C_contra, E, S, F_co]):
    """The protocol of an aggregate module, such as `events/share/decider.py`."""

    @property
    def initial(self) -> S:
        """The state before the first event."""
        ...

    def decide(self, command: C_contra, state: S, /) -> list[E]:
        """Return the events of *command*; raises `Rejected` if it is not possible in *state*."""
        ...

    def evolve(self, state: S, event: E, /) -> S:
        """Return the state after *event*."""
        ...

    def pending(self, state: S, /) -> F_co | None:
        """Return the next effect to perform, if any."""
        ...


def replay(decider: Decider[C_contra, E, S, F_co], events: Iterable[E]) -> S:
    """Fold *events* into a state."""
    return reduce(decider.evolve, events, decider.initial)
