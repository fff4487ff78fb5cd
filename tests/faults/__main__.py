"""`python -m tests.faults`: thousands of simulated cases, counted; or one of them again, with its story.

python -m tests.faults                                  every scenario, and 5,000 histories by chance
python -m tests.faults --cases 50000 --seed 7           other histories
python -m tests.faults --random 1234                    the history of one seed
python -m tests.faults --scenario delete --deaths 3,9   one scenario, dying at these points
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections import Counter
from collections.abc import Iterator

from share_actors.audit.sentences import sentence
from tests.faults.cases import pairs, random_case, replay_command, run, singles
from tests.faults.oracle import Verdict
from tests.faults.scenarios import SCENARIOS
from tests.faults.simulation import Case, World

KINDS = ("stuck", "lost", "lied", "duplicated", "orphaned")


def main() -> int:
    """Exit status 1 if anything is wrong."""
    logging.disable(logging.CRITICAL)  # drivers that fail on purpose
    options = _options()
    if options.scenario:
        deaths = frozenset(int(n) for n in options.deaths.split(",") if n)
        case = Case(
            SCENARIOS[options.scenario], deaths, probes=not options.no_probes, rivals=options.rivals
        )
        return _tell(run(case))
    if options.random is not None:
        return _tell(run(random_case(options.random)))
    return _count(options.seed, options.cases)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--scenario", choices=SCENARIOS, help="one of these")
    parser.add_argument("--deaths", default="", help="points to die at, such as 3,9")
    parser.add_argument("--no-probes", action="store_true", help="a driver that can't probe")
    parser.add_argument("--rivals", action="store_true", help="two activations at once")
    parser.add_argument("--random", type=int, help="the history of this seed")
    parser.add_argument("--seed", type=int, default=0, help="the first seed of many")
    parser.add_argument("--cases", type=int, default=5000, help="how many histories by chance")
    return parser.parse_args()


def _tell(world: World) -> int:
    """What happened in one world, in sentences."""
    wrong = Verdict(world).wrong()
    for recorded in world.log.read("share-s"):
        at = f"{recorded.envelope.at:%H:%M:%S.%f}"
        print(f"{recorded.version:>3} {at} {recorded.envelope.writer:<10} {sentence(recorded)}")
    print("died at:", ", ".join(world.died_at) or "nowhere")
    print("told:", {i: told.status for i, told in world.told.items()})
    print("on the backend:", list(world.storage.objects.values()))
    print("wrong:", wrong or "nothing")
    return 1 if wrong else 0


def _cases(first: int, many: int) -> Iterator[tuple[str, str, Case]]:
    """(kind, how to see it again, case)"""
    for scenario in SCENARIOS:
        for probes in (True, False):
            for kind, cases in (("single", singles), ("pair", pairs)):
                for case in cases(scenario, probes=probes):
                    yield kind, replay_command(scenario, case), case
        for case in singles(scenario, rivals=True):
            yield "rivals", replay_command(scenario, case), case
    for seed in range(first, first + many):
        yield "random", f"python -m tests.faults --random {seed}", random_case(seed)


def _count(seed: int, many: int) -> int:
    """The report, as JSON."""
    began, counts, deaths, overtaken = time.monotonic(), Counter[str](), 0, 0
    wrong = Counter(dict.fromkeys(KINDS, 0))
    for kind, again, case in _cases(seed, many):
        world = run(case)
        found = Verdict(world).wrong()
        counts[kind] += 1
        deaths += len(world.died_at)
        overtaken += world.storage.overtaken
        wrong.update(dict.fromkeys(found, 1))
        if found:
            print(f"{found}\n  to see it again: {again}")
    seconds = time.monotonic() - began
    report = {
        "cases": sum(counts.values()),
        **counts,
        "deaths": deaths,
        "late calls refused by their token": overtaken,
        **wrong,
        "seconds": round(seconds, 1),
        "cases_per_minute": round(60 * counts.total() / seconds),
    }
    print(json.dumps(report, indent=2))
    return 1 if wrong.total() else 0


if __name__ == "__main__":
    raise SystemExit(main())
