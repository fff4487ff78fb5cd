"""Cases in great number: every death of every scenario, singly and in pairs, and histories by chance."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, get_args

from share_actors.events.decider import Command
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.ensure import EnsureShare
from share_actors.events.share.manage import UnmanageShare
from share_actors.events.share.messages import DeleteShare, ExtendShare, RetryShare, ShrinkShare
from share_actors.events.share.snapshot_messages import (
    CreateSnapshot,
    DeleteSnapshot,
    UnmanageSnapshot,
)
from tests.faults.oracle import Verdict
from tests.faults.scenarios import SCENARIOS
from tests.faults.simulation import EPOCH, Case, Fault, World, create


def run(case: Case) -> World:
    """The world that *case* leads to."""
    world = World(case)
    world.run()
    return world


def judged(case: Case, how_to_replay: str) -> World:
    """The same, and it is as it should be; else an AssertionError tells what is not, and how to see it."""
    world = run(case)
    wrong = Verdict(world).wrong()
    assert not wrong, f"{wrong}\ndied at {world.died_at}\nto see it again: {how_to_replay}"
    return world


def replay_command(scenario: str, case: Case) -> str:
    deaths = ",".join(map(str, sorted(case.deaths)))
    options = "".join(
        f" --{name}" for name, on in (("no-probes", not case.probes), ("rivals", case.rivals)) if on
    )
    return f"python -m tests.faults --scenario {scenario!r} --deaths {deaths}{options}"


def singles(scenario: str, **options: Any) -> Iterator[Case]:
    """A death at every point of *scenario*."""
    groups = SCENARIOS[scenario]
    for n in range(1, run(Case(groups, **options)).points + 1):
        yield Case(groups, deaths=frozenset({n}), **options)


def pairs(scenario: str, **options: Any) -> Iterator[Case]:
    """A second death at every point that follows the first."""
    for single in singles(scenario, **options):
        (first,) = single.deaths
        for second in range(first + 1, run(single).points + 1):
            yield Case(single.groups, deaths=frozenset({first, second}), **options)


# -- by chance -----------------------------------------------------------------------------------
def random_case(seed: int) -> Case:
    """The history of *seed*: up to a dozen commands, three deaths and six faults."""
    chance = random.Random(seed)
    groups = tuple(
        tuple(_command(chance) for _ in range(chance.randint(1, 3)))
        for _ in range(chance.randint(1, 4))
    )
    faults: list[Fault] = [*get_args(Fault), "", "", ""]
    return Case(
        groups=((create(3),), *groups),
        deaths=frozenset(chance.randint(1, 60) for _ in range(chance.randint(0, 3))),
        faults=tuple(chance.choice(faults) for _ in range(chance.randint(0, 6))),
        probes=chance.random() < 0.5,
        rivals=chance.random() < 0.3,
        forgetful=chance.random() < 0.3,
        back_s=chance.choice((0.0, 0.0, 3600.0)),
        seed=seed,
    )


def _command(chance: random.Random) -> Command:
    name = chance.choice("ab")
    choices: list[Command] = [
        ExtendShare(size=chance.randint(1, 6)),
        ShrinkShare(size=chance.randint(1, 6)),
        AllowAccess(access_id=name, access_type="user", access_to=chance.choice(("x", "y"))),
        AllowAccess(access_id=name, access_type="user", access_to="z", access_level="ro"),
        DenyAccess(access_id=name),
        CreateSnapshot(snapshot_id=name, at=EPOCH),
        DeleteSnapshot(snapshot_id=name),
        RetryShare(),
        EnsureShare(info="i"),
        UnmanageSnapshot(snapshot_id=name),
        *([UnmanageShare()] if chance.random() < 0.2 else []),
        DeleteShare(cascade=chance.random() < 0.7),
    ]
    return chance.choice(choices)
