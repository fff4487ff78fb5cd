"""The shape of an aggregate: a module with `initial`, `decide`, `evolve` and `pending`, all pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import reduce
from typing import ClassVar, NamedTuple, Protocol, Self, TypeVar

from share_actors.values import Frozen

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Command(Frozen):
    """A request, in the imperative. It may be refused.

    A command that needs the time has a field `at`, which the shell fills in (`stamped`).
    """

    def stamped(self, now: datetime) -> Self:
        """This command, asked at *now*."""
        return self.replace(at=now) if "at" in self.__dict__ else self


class Settled(NamedTuple):
    """A piece of work came to its end: well, or badly with a reason."""

    work: str
    failed: str | None = None

    def ends(self, work: str) -> bool:
        """Whether it is that piece of work; a `*` stands for anything."""
        head, star, tail = self.work.partition("*")
        return work.startswith(head) and work.endswith(tail) if star else work == head


class Event(Frozen):
    """A fact, in the past tense. It is never refused and never edited.

    `schema_version` grows when a field is added without a default or changes its meaning, with an
    upcaster for the versions before (`events/log/upcasting.py`).
    """

    schema_version: ClassVar[int] = 1

    def opens(self) -> tuple[str, ...]:
        """The works that this event makes owed, such as `create` or `rule/ID/allow`."""
        return ()

    def awaits(self) -> tuple[str, ...]:
        """The works, owed already, whose ends its request waits for with those who asked before."""
        return ()

    def settles(self) -> tuple[Settled, ...]:
        """The works that this event ends; in a `Settled.work` a `*` stands for anything."""
        return ()


class Effect(Frozen):
    """Work that the log still owes the outside world; its outcome comes back as a command."""

    def key(self) -> str:
        """What is being attempted; attempts of one key are counted together."""
        return type(self).__name__


class RequestJoined(Event):
    """Somebody asked once more for what is owed already: nothing changes but who waits for it.

    Recorded so that who was told `accepted` has a receipt, and an outcome, whoever dies meanwhile.
    """

    work: str

    def awaits(self) -> tuple[str, ...]:
        return (self.work,)


class Rejected(Exception):
    """The command makes no sense in the current state; nothing is recorded."""


class Missing(Rejected):
    """The command names something that is not there: *field* of it, as *value*."""

    def __init__(self, kind: str, *, field: str, value: str) -> None:
        super().__init__(f"there is no {kind} {value}")
        self.field, self.value = field, value


C_contra = TypeVar("C_contra", contravariant=True)
E = TypeVar("E")
S = TypeVar("S")
F_co = TypeVar("F_co", covariant=True)


class Decider(Protocol[C_contra, E, S, F_co]):
    """The shape of an aggregate *module*: `events/share/decider.py` itself is one."""

    @property
    def initial(self) -> S: ...

    def decide(self, command: C_contra, state: S, /) -> list[E]: ...

    def evolve(self, state: S, event: E, /) -> S: ...

    def pending(self, state: S, /) -> F_co | None: ...


def replay(decider: Decider[C_contra, E, S, F_co], events: Iterable[E]) -> S:
    """Fold *events* into state; activation, audit and tests use this same fold."""
    return reduce(decider.evolve, events, decider.initial)
