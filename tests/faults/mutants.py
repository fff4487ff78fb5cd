"""Mutants: the code broken in one place each, and the check that kills each of them.

`python -m tests.faults.mutants` runs them all and prints a table; it fails if one survives.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from share_actors.actors.entity import stream
from share_actors.actors.hosting import supervisor
from share_actors.actors.hosting.directory import newest_homes
from share_actors.actors.messaging import batch
from share_actors.actors.messaging.batch import Batch
from share_actors.actors.shared_queries import SharedQueries
from share_actors.drivers import make_driver
from share_actors.drivers.fence import Fence
from share_actors.drivers.filesystem.linked_files import LinkedFiles
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.events import share
from share_actors.events.log.group_commit import GroupCommit
from share_actors.events.receipts import Receipts
from share_actors.testing import InMemoryLog
from share_actors.values import RequestContext
from tests.actors import (
    test_batches,
    test_in_doubt,
    test_manager,
    test_many_requests,
    test_shared_queries,
)
from tests.conftest import within
from tests.drivers import test_contract, test_linked_files
from tests.drivers.conftest import CONTEXT, SHARE
from tests.drivers.test_linked_files import ALICE_RW, BOB_RW, OTHER
from tests.drivers.users_and_rules import BOB, allow
from tests.faults.backend import SteppingDriver, Storage
from tests.faults.cases import random_case, run, singles
from tests.faults.oracle import Verdict
from tests.faults.scenarios import SCENARIOS
from tests.faults.simulation import Case

LIMIT_S = 5.0
"""How long a test may wait for something that a mutant prevents."""
FAILURES = (Exception, pytest.fail.Exception)
Patch = pytest.MonkeyPatch


class Check(NamedTuple):
    """One check: its name, and a function that returns what is wrong.

    It gets a directory, and the seconds for which a test may wait."""

    name: str
    failures: Callable[[Path, float], set[str]]


class Mutant(NamedTuple):
    """What is broken, the function that breaks it until the patch ends, and the check that detects it."""

    broken: str
    apply: Callable[[Patch], None]
    check: Check


# -- checks ----------------------------------------------------------------------------------------
def oracle(kind: str, cases: Callable[[], Sequence[Case]]) -> Check:
    """The oracle of the simulation, which finds errors of *kind* in *cases*."""

    def failures(_: Path, __: float) -> set[str]:
        found = any(kind in Verdict(run(case)).wrong() for case in cases())
        return {kind} if found else set()

    return Check(f"the simulation's oracle: {kind}", failures)


def by_test(check: Callable[..., None], name: str = "", **arguments: Any) -> Check:
    """*check*, a test of the suite or a function that calls the test *name*.

    It gets *arguments* and the fixtures `tmp_path` and `log`.
    """

    def failures(directory: Path, limit_s: float) -> set[str]:
        with closing(InMemoryLog()) as log, Patch.context() as limited:
            for module in (test_batches, test_manager, test_many_requests):
                limited.setattr(module, "within", lambda s, job: within(min(s, limit_s), job))
            fixtures = {"tmp_path": directory, "log": log} | arguments
            wanted = inspect.signature(check).parameters
            try:
                check(**{name: fixtures[name] for name in wanted})
            except FAILURES as error:
                return {type(error).__name__}
        return set()

    return Check(name or f"{check.__module__.rpartition('.')[2]}::{check.__name__}", failures)


def each_death(scenario: str, **options: Any) -> Callable[[], Sequence[Case]]:
    return lambda: list(singles(scenario, **options))


def rivals() -> list[Case]:
    return [replace(random_case(seed), rivals=True) for seed in range(60, 160)]


def late_creations() -> list[Case]:
    return [Case(SCENARIOS["delete"], faults=("hangs", "", ""), seed=seed) for seed in range(20)]


def fast_create(tmp_path: Path) -> None:
    test_batches.HeldDriver.released = threading.Event()
    test_batches.test_each_create_on_a_fast_backend_ends_before_those_on_a_slow_one(tmp_path, 1)


def late_call(tmp_path: Path) -> None:
    driver = make_driver("pretended", "dummy", {"directory": str(tmp_path / "state")})
    driver.do_setup(RequestContext())
    test_contract.TestDummyDriver().test_a_late_call_is_refused(driver, "extend")


def denied_with_a_link(tmp_path: Path) -> None:
    """Needs root and POSIX ACLs."""
    tmp_path.chmod(0o711)
    driver = LocalDriver(configuration=LocalOptions(root=tmp_path / "root"), backend_name="here")
    driver.do_setup(CONTEXT)
    (inside,), (elsewhere,) = (driver.create_share(CONTEXT, s) for s in (SHARE, OTHER))
    allow(driver, ALICE_RW, share=OTHER)
    allow(driver, ALICE_RW, BOB_RW)
    test_linked_files.test_a_denied_user_neither_reads_nor_changes_a_file_through_a_link_in_another_share(
        driver, Path(inside.path), Path(elsewhere.path), BOB
    )


# -- what is broken ----------------------------------------------------------------------------------
def nothing_is_pending(patch: Patch) -> None:
    patch.setattr(share, "pending", lambda state: None)


def replies_precede_the_commit(patch: Patch) -> None:
    append = stream.EntityStream.append

    def hasty(self: Any, entries: Sequence[Any], settled: Any) -> Any:
        asyncio.get_running_loop().call_soon(settled, ())
        return append(self, entries, lambda _: None)

    patch.setattr(stream.EntityStream, "append", hasty)


def no_creation_finds_an_earlier_one(patch: Patch) -> None:
    patch.setattr(Storage, "of", lambda self, kind, tag: None)


def deletions_remove_nothing(patch: Patch) -> None:
    patch.setattr(SteppingDriver, "delete_share", lambda *_: None)


def late_calls_enter(patch: Patch) -> None:
    patch.setattr(Storage, "enter", lambda *_: None)


def heads_are_not_checked(patch: Patch) -> None:
    async def unchecked(_: Any) -> bool:
        return True

    patch.setattr(stream.EntityStream, "is_current", unchecked)


def homes_have_no_versions(patch: Patch) -> None:
    def first_homes(residents: Any) -> Any:
        return newest_homes({host: dict.fromkeys(ids, 0) for host, ids in residents.items()})

    patch.setattr(supervisor, "newest_homes", first_homes)


def losers_are_not_dropped(patch: Patch) -> None:
    async def kept(*_: Any) -> None:
        """Tell the host nothing."""

    patch.setattr(supervisor.Supervisor, "_drop", kept)


def drivers_compare_no_fence(patch: Patch) -> None:
    patch.setattr(Fence, "compare", lambda _: None)


def linked_files_are_left(patch: Patch) -> None:
    patch.setattr(LinkedFiles, "_separate", lambda *_: False)


def receipts_are_evicted_at_once(patch: Patch) -> None:
    take = Receipts.take_settled

    def remembered(self: Receipts) -> Any:
        return {i: receipt for i, receipt in take(self).items() if i in self._settled}

    patch.setattr(Receipts, "take_settled", remembered)


def batches_wait_for_all(patch: Patch) -> None:
    patch.setattr(Batch, "_has_replies", lambda self, number: not self._open)
    patch.setattr(Batch, "_is_untold", lambda self: False)
    patch.setattr(batch, "FIRST_POLL_S", math.inf)


def doubts_are_denied(patch: Patch) -> None:
    patch.setattr(GroupCommit, "_fail_in_doubt", GroupCommit._fail)


def each_query_is_run(patch: Patch) -> None:
    ask = SharedQueries.ask
    patch.setattr(SharedQueries, "ask", lambda self, _, job: ask(self, object(), job))


NEW_MANAGER = by_test(
    test_manager.test_a_new_manager_has_a_share_dropped_where_its_activation_is_older
)
MUTANTS = [
    Mutant(
        "no work is pending after its request is recorded",
        nothing_is_pending,
        oracle("stuck", lambda: [Case(SCENARIOS["create"])]),
    ),
    Mutant(
        "replies are given before the commit",
        replies_precede_the_commit,
        oracle("lost", each_death("create", forgetful=True)),
    ),
    Mutant(
        "a repeated creation does not find the first one",
        no_creation_finds_an_earlier_one,
        oracle("duplicated", each_death("create", probes=False)),
    ),
    Mutant(
        "a deletion removes nothing from the backend",
        deletions_remove_nothing,
        oracle("orphaned", each_death("delete")),
    ),
    Mutant(
        "the backend accepts overtaken calls",
        late_calls_enter,
        oracle("orphaned", late_creations),
    ),
    Mutant(
        "a stale activation refuses without comparing itself with the log",
        heads_are_not_checked,
        oracle("refused", rivals),
    ),
    Mutant(
        "a stale activation shows a view from memory",
        heads_are_not_checked,
        oracle("stale", rivals),
    ),
    Mutant("homes of entities have no versions", homes_have_no_versions, NEW_MANAGER),
    Mutant("the older of two activations is not dropped", losers_are_not_dropped, NEW_MANAGER),
    Mutant(
        "a driver does not compare its fence",
        drivers_compare_no_fence,
        by_test(late_call, "test_contract::TestDummyDriver::test_a_late_call_is_refused"),
    ),
    Mutant(
        "a file with links in another share keeps its access rules",
        linked_files_are_left,
        by_test(
            denied_with_a_link,
            "test_linked_files::test_a_denied_user_neither_reads_nor_changes_a_file_through_a_link_in_another_share",
        ),
    ),
    Mutant(
        "receipts are evicted within the event that settles them",
        receipts_are_evicted_at_once,
        by_test(
            test_many_requests.test_all_requests_that_one_event_ends_get_their_outcomes,
            requests=300,
        ),
    ),
    Mutant(
        "a batch waits for its slowest command",
        batches_wait_for_all,
        by_test(
            fast_create,
            "test_batches::test_each_create_on_a_fast_backend_ends_before_those_on_a_slow_one",
        ),
    ),
    Mutant(
        "the catalog runs equal queries one by one",
        each_query_is_run,
        by_test(
            test_shared_queries.test_queries_repeated_by_callers_that_left_are_answered_with_one_look_at_the_log
        ),
    ),
    Mutant(
        "in doubt, an error says that nothing was recorded",
        doubts_are_denied,
        by_test(test_in_doubt.test_a_request_whose_commit_is_unknown_at_its_timeout_says_so),
    ),
]


def failures(mutant: Mutant, *, applied: bool = True) -> set[str]:
    """What the check of *mutant* finds wrong, with the code broken or (not *applied*) as it is."""
    with tempfile.TemporaryDirectory() as directory, Patch.context() as patch:
        if applied:
            mutant.apply(patch)
        return mutant.check.failures(Path(directory), LIMIT_S if applied else 60.0)


def main() -> int:
    """Run every mutant and print a table; 1 if one survives."""
    survivors = 0
    print("| Broken | Killed by | Seconds |\n| --- | --- | --- |")
    for mutant in MUTANTS:
        began = time.monotonic()
        killed = failures(mutant)
        survivors += not killed
        by = mutant.check.name if killed else f"SURVIVES {mutant.check.name}"
        print(f"| {mutant.broken} | {by} | {time.monotonic() - began:.1f} |", flush=True)
    print(f"\n{len(MUTANTS) - survivors} of {len(MUTANTS)} mutants are killed")
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
