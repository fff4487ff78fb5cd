"""Calls of the program `ip` (iproute2): batches of changes, and what there is as JSON."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from share_actors.drivers.base import DriverError, TransientError
from share_actors.drivers.filesystem.locks import held_locks, locked

_ADMINISTRATION = "/usr/local/sbin:/usr/sbin:/sbin"
_TIMEOUT_S = 60.0


class Ip:
    """Runs `ip`, whose processes keep the locks of the caller until they end (`filesystem.locks`)."""

    def change(self, *lines: str, namespace: str | None = None) -> None:
        """Make the changes in order, in *namespace*; raises `DriverError` at the first that fails."""
        self._run([*_within(namespace), "-batch", "-"], "; ".join(lines), "\n".join((*lines, "")))

    def objects(self, *words: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """What the command `ip WORDS` lists; raises `DriverError`, also if what it names does not exist."""
        found = self._run([*_within(namespace), "-json", "-details", *words], " ".join(words))
        # for what is not listed, ip prints empty objects
        return [each for each in json.loads(found or "[]") if each]

    def pids(self, namespace: str) -> list[int]:
        """The processes in the network *namespace*, which exists."""
        found = self._run(["netns", "pids", namespace], f"netns pids {namespace}")
        return [int(pid) for pid in found.split()]

    def _run(self, words: Sequence[str], told: str, lines: str = "") -> str:
        path = f"{os.environ.get('PATH', '')}:{_ADMINISTRATION}"
        try:
            done = subprocess.run(
                ["ip", *words],
                input=lines,
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT_S,
                pass_fds=held_locks(),
                env={**os.environ, "PATH": path, "LC_ALL": "C"},
            )
        except FileNotFoundError:
            raise DriverError("the program ip is not installed (package iproute2)") from None
        except subprocess.TimeoutExpired:
            raise TransientError(f"ip: {told}: it did not end within {_TIMEOUT_S:.0f} s") from None
        if done.returncode:
            raise DriverError(f"ip: {told}: {' '.join(done.stderr.split())}")
        return done.stdout


@contextmanager
def locked_ip(folder: int, name: str) -> Iterator[Ip]:
    """Lock the file *name* in the open directory *folder*, until all changes made in the block have ended."""
    with locked(folder, name):
        yield Ip()


def _within(namespace: str | None) -> list[str]:
    return [] if namespace is None else ["-n", namespace]
