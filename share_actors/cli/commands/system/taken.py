"""Whether the log is free, asked by `up` before it starts anything; and what is left of a lost cluster."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import psutil

from share_actors.actors.runtime.system_state import SystemState, check_reachable
from share_actors.cli.output import escape
from share_actors.cli.session import Session
from share_actors.errors import LogError, Unavailable

if TYPE_CHECKING:
    from share_actors.config import Config
    from share_actors.events.log.lease.lease import Lease, LeaseStore

WAIT_S = 120.0
"""How long `up` waits for processes of its former system: they end about 60 s after their head is gone."""
AGAIN_S = 1.0
_GCS = "--gcs-address="


class Lingering(NamedTuple):
    """A raylet of this machine whose head does not answer any more."""

    process: psutil.Process
    head: str

    def __str__(self) -> str:
        return f"raylet ({self.process.pid}) of the lost head at {self.head}"


def lingering() -> Iterator[Lingering]:
    """The raylets of this machine that have no head; Ray ends them and their workers after a while."""
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] != "raylet":
            continue
        words = process.info["cmdline"] or ()
        head = next((word[len(_GCS) :] for word in words if word.startswith(_GCS)), None)
        if head is not None and not _answers(head):
            yield Lingering(process, head)


def _answers(address: str) -> bool:
    try:
        check_reachable(address)
    except Unavailable:
        return False
    return True


def refuse_others(session: Session, former: SystemState | None) -> None:
    """Raise `LogError`, which names the holder, if another system than *former* holds the log."""
    from share_actors.events.log.lease.lease import in_use, living_holder

    if (store := _store(session.config)) is None:
        return
    with closing(store), session.output.spinner("asking the log whether it is free"):
        lease = living_holder(store)
        if lease is not None and not _is_of(former, lease):
            raise _with_lingering(in_use(store, lease))


def wait_until_free(session: Session, former: SystemState | None, wait_s: float = WAIT_S) -> None:
    """Return once no system holds the log. Raises `LogError`, which names the holder.

    Processes of the *former* system of this home, whose head is gone, are waited for: they end by themselves,
    sooner if a new head is at the address of theirs.
    """
    if (store := _store(session.config)) is None:
        return
    with closing(store), session.output.spinner("asking the log whether it is free"):
        _wait(session, store, former, time.monotonic() + wait_s)


def _store(config: Config) -> LeaseStore | None:
    """The lease of the log; None without a log, or with a file that is none, which is reported later.

    Raises `LogError` if a server does not answer.
    """
    from share_actors.events.log.lease.leased_log import lease_store

    if config.log.kind != "sqlite":
        return lease_store(config.log, config.log_path)
    if not config.log_path.is_file():
        return None
    try:
        store = lease_store(config.log, config.log_path)
        store.read()
    except LogError:
        return None
    return store


def _wait(session: Session, store: LeaseStore, former: SystemState | None, deadline: float) -> None:
    from share_actors.events.log.lease.lease import in_use, living_holder

    told = False
    while (lease := living_holder(store)) is not None:
        if not _is_of(former, lease):
            raise _with_lingering(in_use(store, lease))
        if time.monotonic() > deadline:
            raise _still_held(in_use(store, lease), lease)
        if not told:
            _tell(session, lease)
        told = True
        time.sleep(AGAIN_S)


def _is_of(former: SystemState | None, lease: Lease) -> bool:
    """Whether the holder is a process of *former*."""
    if former is None or former.session is None:
        return False
    return lease.owner.system == f"{former.session}/{former.namespace}"


def _tell(session: Session, lease: Lease) -> None:
    owner = lease.owner
    session.output.print_message(
        f"Processes of the former system on {escape(owner.host)} still hold the log (such as {owner.pid}),"
        " though its head is gone; waiting for them to end, which takes about a minute."
        f" Afterwards other machines, such as {escape(owner.host)}, have to join again."
    )
    for left in lingering():
        session.output.print_message(f"On this machine: {left}.")


def _still_held(error: LogError, lease: Lease) -> LogError:
    """*error* about a process of the former system that does not end."""
    return LogError(
        error.message,
        field=error.field,
        value=error.value,
        **{
            **error.details,
            "next_step": "A part of the former system goes on without its head. Stop Ray on"
            f" {lease.owner.host} (`share-actors down`, or `ray stop`), then repeat `up`.",
        },
    )


def _with_lingering(error: LogError) -> LogError:
    """*error*, which also names the raylets without a head: the holder may be one of their workers."""
    left = [str(each) for each in lingering()]
    if not left:
        return error
    return LogError(
        f"{error.message}; this machine has {', '.join(left)}",
        field=error.field,
        value=error.value,
        **{
            **error.details,
            "lingering": left,
            "next_step": f"{error.details['next_step']} If it is one of these, end its raylet.",
        },
    )
