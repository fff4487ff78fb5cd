"""Running a plan: a bounded number of shares at a time, and a result for each step."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from queue import Empty, SimpleQueue
from typing import NamedTuple

from share_actors.cli.apply.declared import DeclaredShare
from share_actors.cli.apply.parsing import all_of
from share_actors.cli.apply.plan import Step, of_each_share
from share_actors.cli.apply.requests import Applier
from share_actors.client import ShareHandle, ShareSystem
from share_actors.client.share.conditions import is_at_work
from share_actors.errors import InvalidRequest, ShareActorsError
from share_actors.values import Share

AT_ONCE = 16
"""How many shares are changed at a time."""
PAGE_SIZE = 1000


class Result(NamedTuple):
    """What became of a step; with an error the later steps of its share were not tried."""

    step: Step
    error: BaseException | None = None


def check(system: ShareSystem, declared: Sequence[DeclaredShare], set_name: str) -> None:
    """Raise `InvalidRequest` that tells every declaration that can never be done; nothing is recorded."""
    shares = [share.properties(set_name) for share in declared]
    errors = system.bulk.check("create_shares", shares)
    problems = [_in_file(declared[n].where, error) for n, error in errors.items()]
    rules = [(share, rule) for share in declared for rule in share.rules or ()]
    items = [{"share": share.name, **rule.item} for share, rule in rules]
    for n, error in system.bulk.check("allow_access", items).items():
        problems.append(_in_file(rules[n][0].where, error))
    if problems:
        raise all_of(problems)


def _in_file(where: str, error: ShareActorsError) -> InvalidRequest:
    return InvalidRequest(f"{where}: {error.reason}", field=error.field, value=error.value)


def current_shares(system: ShareSystem, names: set[str], timeout: float) -> list[Share]:
    """The shares of the project, once nothing is in progress on those with these *names*.

    A run that was stopped may have left work in progress. Waits up to *timeout* seconds for it.
    """
    shares = _listed(system)
    busy = [share for share in shares if share.name in names and is_at_work(share.seen)]
    if busy:
        system.wait_for_shares(busy, "settled", timeout=timeout)
        shares = _listed(system)
    return [share.seen for share in shares]


def _listed(system: ShareSystem) -> list[ShareHandle]:
    """All shares of the project as everything that is recorded says."""
    found: list[ShareHandle] = []
    marker: str | None = None
    while True:
        page = system.shares(
            project_id=system.context.project_id, limit=PAGE_SIZE, marker=marker, wait=True
        )
        found += page.items
        marker = page.next_marker
        if marker is None:
            return found


# -- running -------------------------------------------------------------------------------------
def run(applier: Applier, steps: Sequence[Step]) -> Generator[Result]:
    """Do *steps*, and give each result as it comes; the steps of one share are done in order.

    When the iterator is left early, no more requests are sent; those in flight go on.
    """
    work: SimpleQueue[list[Step]] = SimpleQueue()
    groups = of_each_share(steps)
    for group in groups:
        work.put(group)
    results: SimpleQueue[Result | None] = SimpleQueue()
    stopped = threading.Event()
    workers = min(AT_ONCE, len(groups))
    for _ in range(workers):  # daemons, so that the program can end while they wait
        arguments = (applier, work, results, stopped)
        threading.Thread(target=_work, args=arguments, daemon=True).start()
    try:
        while workers:
            result = results.get()
            if result is None:
                workers -= 1
            else:
                yield result
    finally:
        stopped.set()


def _work(
    applier: Applier,
    work: SimpleQueue[list[Step]],
    results: SimpleQueue[Result | None],
    stopped: threading.Event,
) -> None:
    while not stopped.is_set():
        try:
            group = work.get_nowait()
        except Empty:
            break
        _apply(applier, group, results, stopped)
    results.put(None)


def _apply(
    applier: Applier,
    group: list[Step],
    results: SimpleQueue[Result | None],
    stopped: threading.Event,
) -> None:
    done: list[Step] = []

    def tell(step: Step) -> bool:
        done.append(step)
        results.put(Result(step))
        return not stopped.is_set()

    try:
        applier.apply(group, tell)
    except BaseException as error:  # told by the thread that reads the results
        results.put(Result(group[len(done)], error))
