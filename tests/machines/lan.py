"""Machines on a network of their own: network, mount and process namespaces, joined by a bridge.

Each machine has an address, its own `/tmp/ray` and its own process ids. Its first process ends when its
standard input is closed, and with it everything that runs on the machine: nothing is left when the tests end,
however they end. Links can be cut and slowed down while both sides go on.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from subprocess import PIPE
from typing import Any

import psutil

NETWORK = "10.77.0"
_SWITCH = ["unshare", "--net", "--kill-child", "--fork", "--pid"]
_MACHINE = [*_SWITCH, "--mount", "--mount-proc", "--uts"]
_UNTIL_CLOSED = "echo up && exec 3<&0 && { cat <&3 & } && wait"
"""Unlike `exec cat`, the shell collects the processes whose parents have died, as a first process must."""
_SWITCH_BOOT = f"ip link add switch type bridge && ip link set switch up && {_UNTIL_CLOSED}"
_BOOT = f'hostname "$1" && mount --bind "$2" /tmp/ray && ip link set lo up && {_UNTIL_CLOSED}'
SLOW = "tbf rate 2mbit burst 32kbit latency 400ms"
"""A link of 2 Mbit/s that delays what waits for it by up to 400 ms, as a discipline of `tc`."""


class Machine:
    """A machine at *address*, whose first process is *init*, on the switch whose process is *switch*."""

    def __init__(self, name: str, address: str, init: subprocess.Popen[str], switch: int) -> None:
        self.name, self.address = name, address
        self._init, self._switch = init, switch

    def command(self, *words: str) -> list[str]:
        """The command that runs *words* on the machine."""
        spaces = ("--net", "--mount", "--pid", "--uts")
        return ["nsenter", "--target", str(self._pid), *spaces, "--", *words]

    def run(self, *words: str, **options: Any) -> str:
        """What *words* print; raises `AssertionError` with what they said if they fail."""
        process = self.start(words, stdout=PIPE, stderr=PIPE, **options)
        out, errors = process.communicate()
        said = f"{self.name}: {' '.join(words)}: {process.returncode}: {out}{errors}"
        assert process.returncode == 0, said
        return out

    def start(self, words: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start *words* on the machine; ends with the machine."""
        return subprocess.Popen(self.command(*words), text=True, **options)

    def processes(self, *names: str) -> list[psutil.Process]:
        """The processes of the machine with one of *names*, or all but those of `_UNTIL_CLOSED`."""
        space, found = os.readlink(f"/proc/{self._pid}/ns/pid"), []
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):  # it has just ended
                here = os.readlink(f"/proc/{process.pid}/ns/pid") == space
                of_boot = process.pid == self._pid or process.cmdline() == ["cat"]
                if here and not of_boot and (not names or process.name() in names):
                    found.append(process)
        return found

    def cut(self) -> None:
        """Take the machine off the network; everything on it goes on."""
        self._port("link", "set", "dev", self.name, "down")

    def mend(self) -> None:
        """Connect the machine again."""
        self._port("link", "set", "dev", self.name, "up")

    def reaches(self, other: Machine) -> bool:
        """Whether a packet from here arrives at *other* and an answer comes back, within five seconds."""
        refused = f"! : 2>/dev/null >/dev/tcp/{other.address}/9"  # nothing listens there
        return self.start(["timeout", "5", "bash", "-c", refused]).wait() == 0

    def slow(self, discipline: str = SLOW) -> None:
        """Send what goes to and from the machine by *discipline*."""
        self._port("qdisc", "replace", "dev", self.name, "root", *discipline.split(), program="tc")
        self.run("tc", "qdisc", "replace", "dev", "eth0", "root", *discipline.split())

    @cached_property
    def hardware_address(self) -> str:
        """The address of its network card."""
        [card] = json.loads(self.run("ip", "-json", "link", "show", "eth0"))
        return str(card["address"])

    def replace(self, lost: Machine) -> None:
        """Take the addresses of a *lost* machine, also that of its card, which others remember."""
        self.run("ip", "link", "set", "eth0", "address", lost.hardware_address)
        self.run("ip", "address", "add", f"{lost.address}/24", "dev", "eth0")

    def off(self) -> None:
        """End everything on the machine at once, as a loss of power does."""
        psutil.Process(self._pid).kill()
        self._init.wait()

    @property
    def _pid(self) -> int:
        [child] = psutil.Process(self._init.pid).children()
        return child.pid

    def _port(self, *words: str, program: str = "ip") -> None:
        subprocess.run(
            ["nsenter", "--target", str(self._switch), "--net", program, *words], check=True
        )


class Lan:
    """A switch, whose namespace the process *switch* holds, and the machines that were added to it."""

    def __init__(self, switch: int, directory: Path, stack: ExitStack) -> None:
        self._switch, self._directory, self._stack = switch, directory, stack
        self.machines: dict[str, Machine] = {}

    def add(self, name: str) -> Machine:
        """A new machine with the next address; *name* has at most 15 characters."""
        (own := self._directory / name).mkdir()
        Path("/tmp/ray").mkdir(exist_ok=True)
        boot = [*_MACHINE, "sh", "-c", _BOOT, "sh", name, str(own)]
        init = self._stack.enter_context(first_process(boot))
        address = f"{NETWORK}.{len(self.machines) + 1}"
        machine = Machine(name, address, init, self._switch)
        inside = ["nsenter", "--target", str(self._switch), "--net", "ip"]
        pair = ["link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns"]
        subprocess.run([*inside, *pair, str(machine._pid)], check=True)
        subprocess.run([*inside, "link", "set", "dev", name, "master", "switch", "up"], check=True)
        machine.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        machine.run("ip", "link", "set", "eth0", "up")
        self.machines[name] = machine
        return machine


@contextmanager
def lan(directory: Path) -> Iterator[Lan]:
    """A network without machines; *directory* gets the files of each machine's `/tmp/ray`."""
    with ExitStack() as stack:
        init = stack.enter_context(first_process([*_SWITCH, "sh", "-c", _SWITCH_BOOT]))
        [child] = psutil.Process(init.pid).children()
        yield Lan(child.pid, directory, stack)


@contextmanager
def first_process(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that says "up" and then runs until its standard input is closed."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            assert process.stdout.readline() == "up\n", f"{command} did not start"
            yield process
        finally:
            process.stdin.close()
            process.wait(60)


def environment(**more: str) -> Mapping[str, str]:
    """The variables of this process without those of another Ray cluster, and *more*."""
    clean = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("RAY_", "SHARE_ACTORS_")) and k != "PYTEST_CURRENT_TEST"
    }
    return {**clean, **more}


def have_tools() -> bool:
    """Whether the programs that machines need are there."""
    return all(map(shutil.which, ("unshare", "nsenter", "ip", "tc")))
