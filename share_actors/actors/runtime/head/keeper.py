"""Runs Ray's `gcs_server`, which keeps its tables in Redis, and starts it again when it ends.

`python -m share_actors.actors.runtime.head.keeper COMMAND ...`, where *COMMAND* starts the server on a fixed
port. A signal to stop ends both. Only one keeper at a time runs a server on the same tables.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from share_actors.actors.runtime.head.store import PASSWORD, USER, HeadMark, from_environment
from share_actors.errors import ShareActorsError

logger = logging.getLogger(__name__)
RENEW_S = 3.0
PAUSES_S = (0.0, 0.5, 1.0, 2.0)
"""Pauses before the next starts; after `STEADY_S` without an end the first one is next again."""
STEADY_S = 10.0
STOP_S = 10.0
FLAGS = {"redis_username": USER, "redis_password": PASSWORD}
"""Flags of `gcs_server` that it reads from variables, since every user sees a command line."""
PR_SET_PDEATHSIG = 1
LOG = "gcs_keeper.log"


class Keeper:
    """Starts the server of *command*, with *environment*, whenever none runs."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._command, self._environment = command, environment
        self._stopped = threading.Event()
        self._server: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the server, and do not start it again."""
        self._stopped.set()

    def run(self) -> int:
        """Run servers until `stop`; returns the exit code."""
        ends = 0
        while not self._stopped.is_set():
            self._server = self._start()
            steady = not self._wait(STEADY_S)
            self._wait(None)
            if self._stopped.is_set():
                break
            logger.error("gcs_server ended with %s; it is started again", self._server.returncode)
            ends = 0 if steady else min(ends + 1, len(PAUSES_S) - 1)
            self._stopped.wait(PAUSES_S[ends])
        self._end()
        return 0

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            env=self._environment,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - only threads of our own run, and hold no lock
        )

    def _wait(self, seconds: float | None) -> bool:
        """Wait until the server has ended, or this keeper is stopped; False after *seconds*."""
        assert self._server is not None
        waited = 0.0
        while not self._stopped.is_set() and self._server.poll() is None:
            if seconds is not None and waited >= seconds:
                return False
            self._stopped.wait(0.1)
            waited += 0.1
        return True

    def _end(self) -> None:
        if self._server is None:
            return
        self._server.terminate()
        try:
            self._server.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._server.kill()


def end_with_parent() -> None:
    """Have Linux kill this process when the thread that started it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def renew(mark: HeadMark, keeper: Keeper, ended: threading.Event) -> None:
    """Keep *mark* until *ended*; stop *keeper* if another head has it."""
    while not ended.wait(RENEW_S):
        try:
            holder = mark.claim()
        except ShareActorsError as error:
            logger.warning("the mark of this head was not renewed: %s", error)
            continue
        if holder is not None:
            logger.error("%s has taken the tables over: this head stops", holder)
            keeper.stop()
            return


def with_flags(
    command: Sequence[str], environment: dict[str, str]
) -> tuple[list[str], dict[str, str]]:
    """*command* and *environment* of a server that reads the user and the password from its variables."""
    given = {flag: environment[name] for flag, name in FLAGS.items() if environment.get(name)}
    rest = {k: v for k, v in environment.items() if k not in FLAGS.values()}
    variables = {f"FLAGS_{flag}": value for flag, value in given.items()}
    flags = [f"--fromenv={','.join(given)}"] if given else []
    return [*command, *flags], {**rest, **variables}


def _log_to(command: Sequence[str]) -> None:
    directory = next((word[10:] for word in command if word.startswith("--log_dir=")), None)
    target = {"filename": Path(directory) / LOG} if directory else {"stream": sys.stderr}
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", **target
    )


def main(command: Sequence[str]) -> int:
    """Keep the server of *command*; returns the exit code."""
    _log_to(command)
    try:
        mark = HeadMark(from_environment(os.environ))
        holder = mark.claim()
    except ShareActorsError as error:
        logger.error("not started: %s", error)  # noqa: TRY400 - the message says it all
        return 1
    if holder is not None:
        logger.error("not started: %s uses these tables", holder)
        return 1
    keeper, ended = Keeper(*with_flags(command, dict(os.environ))), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: keeper.stop())
    renewing = threading.Thread(target=renew, args=(mark, keeper, ended), daemon=True)
    renewing.start()
    try:
        return keeper.run()
    finally:
        ended.set()
        renewing.join()
        mark.release()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
