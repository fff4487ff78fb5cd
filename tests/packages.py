"""Installs the Debian packages of the tests of storage and of Redis, and lets none of their daemons start.

The tests start daemons of their own. Without root or apt-get, or if installing fails, the tests that need a
missing package are skipped with its name: see `tests.storage.needs`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PACKAGES = (
    *("nfs-ganesha", "nfs-ganesha-vfs", "rpcbind", "dbus", "btrfs-progs", "libnfs13"),
    *("samba", "smbclient", "libnss-wrapper", "iproute2", "kmod", "redis-server"),
)
UNITS = (
    "nfs-ganesha.service",
    "smbd.service",
    "nmbd.service",
    "rpcbind.service",
    "rpcbind.socket",
    "redis-server.service",
)
"""Units of the packages, which are enabled when these are installed."""
POLICY = Path("/usr/sbin/policy-rc.d")
"""A program that packages ask before they start a daemon (invoke-rc.d)."""
TIMEOUT_S = 900.0
_MARK = "# written by the tests of share_actors"
_REFUSAL = f"#!/bin/sh\n{_MARK} while they install packages: start nothing\nexit 101\n"
_APT_OPTIONS = (
    *("-q", "-y", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"),
    *("-o", "Acquire::https::Timeout=20", "-o", "DPkg::Lock::Timeout=120"),
)


class Installer:
    """Installs packages with the programs of *path*, which has the form of `PATH`."""

    def __init__(self, output: IO[str], path: str = os.environ.get("PATH", os.defpath)) -> None:
        self._output, self._path, self._interrupts = output, path, Interrupts()

    def install(self, packages: Sequence[str] = PACKAGES, policy: Path = POLICY) -> bool:
        """Install what is missing of *packages*; returns whether all are there. Raises no error of apt-get.

        An interrupt is raised again when apt-get has ended: a half-installed package could not be removed.
        """
        if self._program("apt-get") is None or self._program("dpkg-query") is None:
            return False
        missing = self.missing(packages)
        if not missing:
            return True
        self._print(f"installing the Debian packages {' '.join(missing)}")
        began, enabled = time.monotonic(), self._enabled_units()
        try:
            with self._interrupts, nothing_starts(policy):
                self._apt_get("update")  # if it fails, the former lists may do
                problem = self._install(missing)
        except OSError as error:
            problem = str(error)
        finally:
            self._disable([unit for unit in self._enabled_units() if unit not in enabled])
        took = f"{time.monotonic() - began:.0f} s"
        if problem is None:
            self._print(f"installed in {took}")
        else:
            self._print(f"not installed ({took}): {problem}; tests that need them are skipped")
        return problem is None

    def missing(self, packages: Sequence[str]) -> list[str]:
        """Those of *packages* that are not installed."""
        query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages]
        lines = self._run(query).stdout.splitlines()
        installed = {line.split()[0] for line in lines if line.endswith(" installed")}
        return [package for package in packages if package not in installed]

    def _install(self, packages: Sequence[str]) -> str | None:
        return self._apt_get("install", "--no-install-recommends", *packages)

    def _apt_get(self, verb: str, *arguments: str) -> str | None:
        """Run apt-get, unless interrupted; the last line of its errors if it failed."""
        if self._interrupts.received:
            return "interrupted"
        with tempfile.TemporaryFile("w+", errors="replace") as log:
            process = subprocess.Popen(
                [self._program("apt-get") or "apt-get", *_APT_OPTIONS, verb, *arguments],
                env={**self._environment, "DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a terminal's interrupt reaches it from here, once
            )
            self._interrupts.pass_on_to(process)
            try:
                status = process.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
                status = process.wait()
            log.seek(0)
            lines = log.read().split("\n")
        return None if status == 0 else _reason(f"apt-get {verb} ended with {status}", lines)

    def _enabled_units(self) -> list[str]:
        """Those of `UNITS` that start at the next boot; none where systemctl does not work."""
        if self._program("systemctl") is None:
            return []
        return [
            unit for unit in UNITS if self._run(["systemctl", "is-enabled", unit]).returncode == 0
        ]

    def _disable(self, units: Sequence[str]) -> None:
        if not units:
            return
        if self._run(["systemctl", "disable", *units]).returncode:
            self._print(f"could not disable {' '.join(units)}: they start at the next boot")
        self._run(["systemctl", "stop", *units])  # fails where systemd does not run

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        program = self._program(arguments[0]) or arguments[0]
        return subprocess.run(
            [program, *arguments[1:]],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def _program(self, name: str) -> str | None:
        return shutil.which(name, path=self._path)

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": self._path, "LC_ALL": "C.UTF-8"}

    def _print(self, text: str) -> None:
        print(text, file=self._output, flush=True)


class Interrupts:
    """Passes interrupts during a block on to apt-get, and raises `KeyboardInterrupt` at its end.

    apt-get then ends its download, or completes its packages. An exception in the middle of the start of
    apt-get would lose it: it would go on, and start daemons once the policy is gone.
    """

    def __init__(self) -> None:
        self.received = False
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> None:
        numbers = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._receive) for number in numbers}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.received:
            raise KeyboardInterrupt

    def pass_on_to(self, process: subprocess.Popen[bytes]) -> None:
        """Interrupt *process* at each interrupt from now on, and now if there was one."""
        self._process = process
        if self.received:
            process.send_signal(signal.SIGINT)

    def _receive(self, *_: object) -> None:
        self.received = True
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # does nothing to one that has ended


def _reason(status: str, lines: Sequence[str]) -> str:
    errors = [line for line in lines if line.startswith("E: ")] or [line for line in lines if line]
    return f"{status}: {errors[-1]}" if errors else status


@contextmanager
def nothing_starts(policy: Path) -> Iterator[None]:
    """Have the file *policy* refuse the start of daemons during the block; then the former file is back.

    A file that a killed run left is replaced too, and the former one that it put aside is put back.
    """
    aside = policy.with_name(f"{policy.name}.aside")
    if not _is_ours(policy):
        with suppress(FileNotFoundError):
            policy.replace(aside)
    try:
        policy.write_text(_REFUSAL, encoding="utf-8")
        policy.chmod(0o755)
        yield
    finally:
        policy.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            aside.replace(policy)


def _is_ours(policy: Path) -> bool:
    with suppress(OSError):
        return _MARK in policy.read_text(encoding="utf-8", errors="replace")
    return False


def install_for_tests(output: IO[str]) -> None:
    """Install what the storage tests need, if this process may."""
    if os.geteuid() == 0:
        Installer(output).install()
