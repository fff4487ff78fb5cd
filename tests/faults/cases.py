"""Generated cases: every death of every scenario, singly and in pairs, and random histories."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, get_args

from share_actors.events.decider import Command
from share_actors.events.share.access import AllowAccess, DenyAccess
from share_actors.events.share.ensure import EnsureShare
from share_actors.events.share.manage import UnmanageShare
from share_actors.events.share.messages import (
    ChangeShare,
    DeleteShare,
    ExtendShare,
    RetryShare,
    RevertToSnapshot,
    ShrinkShare,
)
from share_actors.events.share.snapshot.access import AllowSnapshotAccess, DenySnapshotAccess
from share_actors.events.share.snapshot.messages import (
    CreateSnapshot,
    DeleteSnapshot,
    UnmanageSnapshot,
)
from tests.faults.oracle import Verdict
from tests.faults.scenarios import SCENARIOS
from tests.faults.simulation import EPOCH, Case, Fault, World, create


def run(case: Case) -> World:
    """Run *case*; the world afterwards."""
    world = World(case)
    world.run()
    return world


def judged(case: Case, how_to_replay: str) -> World:
    """Run *case*; raises AssertionError with what is wrong and how to run the case again."""
    world = run(case)
    wrong = Verdict(world).wrong()
    assert not wrong, f"{wrong}\ndied at {world.died_at}\nto run it again: {how_to_replay}"
    return world


def replay_command(scenario: str, case: Case) -> str:
    deaths = ",".join(map(str, sorted(case.deaths)))
    options = "".join(
        f" --{name}" for name, on in (("no-probes", not case.probes), ("rivals", case.rivals)) if on
    )
    return f"python -m tests.faults --scenario {scenario!r} --deaths {deaths}{options}"


def singles(scenario: str, **options: Any) -> Iterator[Case]:
    """Cases with one death, at every point of *scenario*."""
    groups = SCENARIOS[scenario]
    for n in range(1, run(Case(groups, **options)).points + 1):
        yield Case(groups, deaths=frozenset({n}), **options)


def pairs(scenario: str, **options: Any) -> Iterator[Case]:
    """Cases with two deaths, at every pair of points of *scenario*."""
    for single in singles(scenario, **options):
        (first,) = single.deaths
        for second in range(first + 1, run(single).points + 1):
            yield Case(single.groups, deaths=frozenset({first, second}), **options)


# -- random cases -----------------------------------------------------------------------------------
def random_case(seed: int) -> Case:
    """The random history of *seed*: up to a dozen commands, three deaths and six faults."""
    rng = random.Random(seed)
    groups = tuple(
        tuple(_command(rng) for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(1, 4))
    )
    faults: list[Fault] = [*get_args(Fault), "", "", ""]
    return Case(
        groups=((create(3),), *groups),
        deaths=frozenset(rng.randint(1, 60) for _ in range(rng.randint(0, 3))),
        faults=tuple(rng.choice(faults) for _ in range(rng.randint(0, 6))),
        probes=rng.random() < 0.5,
        rivals=rng.random() < 0.3,
        forgetful=rng.random() < 0.3,
        back_s=rng.choice((0.0, 0.0, 3600.0)),
        seed=seed,
    )


def _command(rng: random.Random) -> Command:
    name = rng.choice("ab")
    choices: list[Command] = [
        ExtendShare(size=rng.randint(1, 6)),
        ShrinkShare(size=rng.randint(1, 6)),
        ChangeShare(name=rng.choice("xy"), metadata={"k": rng.choice((None, "v"))}),
        AllowAccess(access_id=name, access_type="user", access_to=rng.choice(("x", "y"))),
        AllowAccess(access_id=name, access_type="user", access_to="z", access_level="ro"),
        DenyAccess(access_id=name),
        CreateSnapshot(snapshot_id=name, at=EPOCH),
        AllowSnapshotAccess(
            snapshot_id=name,
            access_id=rng.choice("cd"),
            access_type="user",
            access_to=rng.choice(("x", "y")),
        ),
        DenySnapshotAccess(snapshot_id=name, access_id=rng.choice("cd")),
        DeleteSnapshot(snapshot_id=name),
        RevertToSnapshot(snapshot_id=name),
        RetryShare(),
        EnsureShare(info="i"),
        UnmanageSnapshot(snapshot_id=name),
        *([UnmanageShare()] if rng.random() < 0.2 else []),
        DeleteShare(cascade=rng.random() < 0.7),
    ]
    return rng.choice(choices)
