"""`python -m tests.faults`: runs thousands of simulated cases, or one whose events it prints.

python -m tests.faults                                  every scenario, and 5,000 random histories
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
    """Run what the arguments say; exit status 1 if anything is wrong."""
    logging.disable(logging.CRITICAL)  # drivers that fail on purpose
    options = _options()
    if options.scenario:
        deaths = frozenset(int(n) for n in options.deaths.split(",") if n)
        case = Case(
            SCENARIOS[options.scenario], deaths, probes=not options.no_probes, rivals=options.rivals
        )
        return _print_case(run(case))
    if options.random is not None:
        return _print_case(run(random_case(options.random)))
    return _run_all(options.seed, options.cases)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--scenario", choices=SCENARIOS, help="run this scenario")
    parser.add_argument("--deaths", default="", help="points at which a process dies, such as 3,9")
    parser.add_argument("--no-probes", action="store_true", help="with a driver that can't probe")
    parser.add_argument("--rivals", action="store_true", help="with two activations at once")
    parser.add_argument("--random", type=int, help="run the random history of this seed")
    parser.add_argument(
        "--seed", type=int, default=0, help="the first seed of the random histories"
    )
    parser.add_argument("--cases", type=int, default=5000, help="the number of random histories")
    return parser.parse_args()


def _print_case(world: World) -> int:
    """Print the events and the verdict of one case; exit status 1 if anything is wrong."""
    wrong = Verdict(world).wrong()
    for recorded in world.log.read("share-s"):
        at = f"{recorded.envelope.at:%H:%M:%S.%f}"
        print(f"{recorded.version:>3} {at} {recorded.envelope.writer:<10} {sentence(recorded)}")
    print("died at:", ", ".join(world.died_at) or "nowhere")
    print("replies:", {i: reply.status for i, reply in world.replies.items()})
    print("on the backend:", list(world.storage.objects.values()))
    print("wrong:", wrong or "nothing")
    return 1 if wrong else 0


def _cases(first: int, count: int) -> Iterator[tuple[str, str, Case]]:
    """Yield (kind, command that runs the case again, case)."""
    for scenario in SCENARIOS:
        for probes in (True, False):
            for kind, cases in (("single", singles), ("pair", pairs)):
                for case in cases(scenario, probes=probes):
                    yield kind, replay_command(scenario, case), case
        for case in singles(scenario, rivals=True):
            yield "rivals", replay_command(scenario, case), case
    for seed in range(first, first + count):
        yield "random", f"python -m tests.faults --random {seed}", random_case(seed)


def _run_all(seed: int, count: int) -> int:
    """Run all cases and print the report as JSON; exit status 1 if anything is wrong."""
    began, counts, deaths, overtaken = time.monotonic(), Counter[str](), 0, 0
    wrong = Counter(dict.fromkeys(KINDS, 0))
    for kind, again, case in _cases(seed, count):
        world = run(case)
        errors = Verdict(world).wrong()
        counts[kind] += 1
        deaths += len(world.died_at)
        overtaken += world.storage.overtaken
        wrong.update(dict.fromkeys(errors, 1))
        if errors:
            print(f"{errors}\n  to run it again: {again}")
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
