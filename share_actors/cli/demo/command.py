"""`share-actors demo`: the whole story in a minute, with real files and real processes, each step checked."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import psutil
import typer

from share_actors.actors.runtime.system_state import ray_environment
from share_actors.cli import ray_process
from share_actors.cli.command import command
from share_actors.cli.session import Session
from share_actors.errors import ShareActorsError, TimedOut

PATIENCE_S = 300.0


def register(app: typer.Typer) -> None:
    """Add the command to the whole."""
    command(app, "demo", examples=["demo", "demo --keep"])(demo)


def demo(
    session: Session,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the directory there to look at.")
    ] = False,
) -> None:
    """Show it all in a minute: real files, a real log, and a kill -9 that loses nothing.

    Works in a temporary directory, needs no configuration, and leaves nothing behind. Every step is
    checked; the exit code is not 0 if anything is not as it should be.
    """
    session.when_stopped = "Stopped. The demo has cleared up after itself."
    with _directory(session, keep=keep) as top, _ray_directory() as ray:
        code = _played(session, top, ray)
    if code:
        raise typer.Exit(code)


def _played(session: Session, top: Path, ray: str) -> int:
    """The story's exit code. It has a process of its own, that can be ended whatever it hangs in."""
    options = [f"--{name}" for name in ("json", "debug") if getattr(session.options, name)]
    story = subprocess.Popen(
        [sys.executable, "-m", "share_actors.cli.demo.script", str(top), ray, *options],
        env=_environment(ray), start_new_session=True,
    )  # fmt: skip
    created = psutil.Process(story.pid).create_time()
    try:
        code = story.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise TimedOut(
            f"the demo did not end within {PATIENCE_S:g} s",
            next_step="All it started is ended. `share-actors demo --keep` leaves its directory to look at.",
        ) from None
    finally:
        ray_process.kill_session(story.pid, created)
    if code < 0:
        raise ShareActorsError(f"the demo's process was killed by signal {-code}")
    return code


def _environment(ray: str) -> dict[str, str]:
    """Without what would lead to the user's own system; with a Ray that is closed to all others."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SHARE_ACTORS_", "RAY_"))}
    return {**kept, **ray_environment(ray_process.make_token(ray))}


@contextmanager
def _directory(session: Session, *, keep: bool) -> Iterator[Path]:
    """A directory for the demo, that goes however it ends: being told to stop is as Ctrl-C is."""
    for told in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(told, signal.default_int_handler)
    top = Path(tempfile.mkdtemp(prefix="share-actors-demo-"))
    top.chmod(0o711)  # users who may use a share pass through here
    try:
        yield top
    finally:
        if keep:
            session.output.note(f"\nThe directory stays: {top}")
        else:
            shutil.rmtree(top, ignore_errors=True)


@contextmanager
def _ray_directory() -> Iterator[str]:
    ray = ray_process.short_directory()
    try:
        yield ray
    finally:
        shutil.rmtree(ray, ignore_errors=True)
