"""`share-actors demo`: a checked tour in a minute, with real files and real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import psutil
import typer

from share_actors.actors.runtime.system_state import ray_environment
from share_actors.cli import interrupts, ray_process, ray_session
from share_actors.cli.command import command
from share_actors.cli.session import Session
from share_actors.errors import ShareActorsError, TimedOut

MAX_DURATION_S = 300.0


class DemoBackend(StrEnum):
    """The storage that the demo shows."""

    LOCAL = "local"
    BTRFS = "btrfs"


SCRIPTS = {DemoBackend.LOCAL: "script", DemoBackend.BTRFS: "storage_script"}


@command("demo", examples=["demo", "demo --keep", "demo --backend btrfs"])
def demo(
    session: Session,
    backend: Annotated[
        DemoBackend,
        typer.Option(
            "--backend",
            help="local: directories of this machine. btrfs: real NFS clients of a real NFS server, as root.",
        ),
    ] = DemoBackend.LOCAL,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the demo's directory for inspection.")
    ] = False,
) -> None:
    """Show every feature in a minute: real files, a real log, and a kill -9 that loses nothing.

    Works in a temporary directory, needs no configuration, and leaves nothing behind. Every step is
    checked; the exit code is 0 only if all checks pass. With `--backend btrfs`, two NFS clients in networks
    of their own are refused, allowed, limited and cut off.
    """
    storage = _storage() if backend is DemoBackend.BTRFS else None
    if storage is not None:
        storage.require_storage()
    session.interrupt_message = "Stopped. The demo has removed everything that it started."
    with _directory(session, keep=keep) as top, _ray_directory() as ray_directory:
        try:
            code = _run_script(session, SCRIPTS[backend], top, ray_directory)
        finally:
            if storage is not None:
                storage.remove_storage(top)
    if code:
        raise typer.Exit(code)


def _storage() -> ModuleType:
    """What only the demo of real storage needs, which takes time to import."""
    return import_module("share_actors.cli.demo.storage_machine")


def _run_script(session: Session, script_name: str, top: Path, ray_directory: str) -> int:
    """Run the script in its own process, which can be killed wherever it hangs; returns its exit code."""
    options = [f"--{name}" for name in ("json", "debug") if getattr(session.options, name)]
    arguments = (str(top), ray_directory)
    script = subprocess.Popen(
        [sys.executable, "-m", f"share_actors.cli.demo.{script_name}", *arguments, *options],
        env=_environment(ray_directory),
        start_new_session=True,
    )
    created = psutil.Process(script.pid).create_time()
    try:
        code = script.wait(MAX_DURATION_S)
    except subprocess.TimeoutExpired:
        raise TimedOut(
            f"the demo did not finish within {MAX_DURATION_S:g} s",
            next_step="Everything it started was stopped."
            " `share-actors demo --keep` keeps its directory for inspection.",
        ) from None
    finally:
        ray_session.kill_session(script.pid, created)
    if code < 0:
        raise ShareActorsError(f"the demo's process was killed by signal {-code}")
    return code


def _environment(ray_directory: str) -> dict[str, str]:
    """The environment without what leads to the user's own system; the demo's Ray is closed to others."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SHARE_ACTORS_", "RAY_"))
    }
    return {**inherited, **ray_environment(ray_process.create_token(ray_directory))}


@contextmanager
def _directory(session: Session, *, keep: bool) -> Iterator[Path]:
    """A directory for the demo, which is removed at the end, also after SIGTERM or SIGHUP."""
    with interrupts.raised():
        top = Path(tempfile.mkdtemp(prefix="share-actors-demo-"))
        top.chmod(0o711)  # users with access to a share must be able to pass
        try:
            yield top
        finally:
            if keep:
                session.output.print_message(f"\nKept the directory {top}")
            else:
                shutil.rmtree(top, ignore_errors=True)


@contextmanager
def _ray_directory() -> Iterator[str]:
    directory = ray_process.create_short_directory()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
