"""Debian packages are installed for the tests, with programs in place of apt-get and systemctl."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.packages import Installer, nothing_starts
from tests.waiting import until

APT_GET = """
echo "apt-get $*" >> {log}
case "$*" in *" install "*) ;; *) exit 0 ;; esac
cp {policy} {folder}/policy-then
touch {folder}/installed
"""
DPKG_QUERY = """
test -e {folder}/installed && state=installed || state=not-installed
echo "tool installed"
echo "server $state"
"""
SYSTEMCTL = """
echo "systemctl $*" >> {log}
test "$1" != is-enabled || test "$2" = rpcbind.socket || test "$2" = smbd.service -a -e {folder}/installed
"""
OLD_POLICY = "#!/bin/sh\nexit 104\n"


class FakeDebian:
    """A folder with programs of Debian that write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.policy, self.log = folder, folder / "policy-rc.d", folder / "log"
        self.log.touch()
        self.printed = io.StringIO()
        for name, text in (
            ("apt-get", APT_GET),
            ("dpkg-query", DPKG_QUERY),
            ("systemctl", SYSTEMCTL),
        ):
            self.program(name, text)

    def program(self, name: str, text: str) -> None:
        names = {"log": self.log, "policy": self.policy, "folder": self.folder}
        (self.folder / name).write_text("#!/bin/sh\n" + text.format(**names))
        (self.folder / name).chmod(0o755)

    def install(self) -> bool:
        installer = Installer(self.printed, f"{self.folder}:/usr/bin:/bin")
        return installer.install(("tool", "server"), self.policy)

    def calls(self, program: str) -> list[str]:
        lines = self.log.read_text().splitlines()
        return [line for line in lines if line.startswith(program)]


@pytest.fixture
def debian(tmp_path: Path) -> FakeDebian:
    return FakeDebian(tmp_path)


def test_only_missing_packages_are_installed_and_nothing_recommended(debian: FakeDebian) -> None:
    assert debian.install()

    (install,) = [call for call in debian.calls("apt-get") if " install " in call]
    assert install.endswith(" install --no-install-recommends server")
    printed = debian.printed.getvalue()
    assert "installing the Debian packages server\ninstalled in " in printed


def test_nothing_is_done_if_everything_is_installed(debian: FakeDebian) -> None:
    (debian.folder / "installed").touch()

    assert debian.install()

    assert debian.log.read_text() == debian.printed.getvalue() == ""


def test_daemons_are_refused_during_the_installation_alone(debian: FakeDebian) -> None:
    debian.install()

    refusal = subprocess.run(["sh", debian.folder / "policy-then"], check=False)
    assert refusal.returncode == 101
    assert not debian.policy.exists()


def test_an_existing_policy_is_put_back(debian: FakeDebian) -> None:
    debian.policy.write_text(OLD_POLICY)
    debian.policy.chmod(0o750)

    debian.install()

    assert debian.policy.read_text() == OLD_POLICY
    assert debian.policy.stat().st_mode & 0o777 == 0o750
    assert "exit 101" in (debian.folder / "policy-then").read_text()


def test_a_failure_is_one_line_and_leaves_no_policy(debian: FakeDebian) -> None:
    debian.program(
        "apt-get", 'echo "W: slow"; echo "E: Unable to locate package server"; exit 100\n'
    )

    assert not debian.install()

    lines = debian.printed.getvalue().splitlines()
    assert len(lines) == 2
    assert "apt-get install ended with 100: E: Unable to locate package server" in lines[1]
    assert not debian.policy.exists()


def test_a_policy_that_cannot_be_written_is_a_failure_and_nothing_is_installed(
    debian: FakeDebian,
) -> None:
    debian.policy = debian.folder / "absent" / "policy-rc.d"

    assert not debian.install()

    assert debian.calls("apt-get") == []
    assert "No such file or directory" in debian.printed.getvalue()


def test_only_units_that_were_not_enabled_before_are_disabled(debian: FakeDebian) -> None:
    debian.install()

    changes = [call for call in debian.calls("systemctl") if "is-enabled" not in call]
    assert changes == ["systemctl disable smbd.service", "systemctl stop smbd.service"]


def test_nothing_is_installed_without_apt_get(debian: FakeDebian) -> None:
    (debian.folder / "apt-get").unlink()
    for name in ("sh", "touch"):
        (debian.folder / name).symlink_to(str(shutil.which(name)))

    installed = Installer(debian.printed, str(debian.folder)).install(("server",), debian.policy)

    assert not installed
    assert debian.log.read_text() == ""


def wait_for(file: Path) -> None:
    """Wait until *file* has a line."""
    until(lambda: file.exists() and file.read_text().endswith("\n"))


INTERRUPTED = """
import signal, sys
from pathlib import Path
from tests.packages import Installer

def interrupt(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, interrupt)
folder = Path(sys.argv[1])
installer = Installer(sys.stdout, f"{folder}:/usr/bin:/bin")
installer.install(("tool", "server"), folder / "policy-rc.d")
"""


def interrupt_during_installation(debian: FakeDebian, number: signal.Signals) -> int:
    """Send *number* to a process that installs, while apt-get runs; the exit status."""
    ready = debian.folder / "ready"
    os.mkfifo(ready)
    text = "trap 'touch {folder}/ended; exit 130' INT\ncase \"$*\" in *' update'*) exit 0 ;; esac\n"
    text += f"echo $$ > {ready}\nwhile :; do sleep 0.05; done\n"
    debian.program("apt-get", text)
    command = [sys.executable, "-c", INTERRUPTED, str(debian.folder)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL) as process:
        apt_get = int(ready.read_text())
        try:
            process.send_signal(number)
            return process.wait()
        finally:
            with suppress(ProcessLookupError):
                os.kill(apt_get, signal.SIGKILL)


def test_an_interrupt_waits_for_apt_get_and_puts_the_policy_back(debian: FakeDebian) -> None:
    debian.policy.write_text(OLD_POLICY)

    status = interrupt_during_installation(debian, signal.SIGINT)

    assert status != 0
    assert (debian.folder / "ended").exists()
    assert debian.policy.read_text() == OLD_POLICY


def test_an_interrupt_during_the_start_of_apt_get_does_not_lose_it(
    debian: FakeDebian, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian.program("apt-get", f"echo $$ >> {debian.folder}/pids\nexec sleep 60\n")
    started: Any = subprocess.Popen.__init__

    def interrupted(process: Any, *args: Any, **options: Any) -> None:
        started(process, *args, **options)
        if options.get("start_new_session"):
            wait_for(debian.folder / "pids")
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(subprocess.Popen, "__init__", interrupted)

    with pytest.raises(KeyboardInterrupt):
        debian.install()

    (pid,) = (debian.folder / "pids").read_text().split()
    assert not Path(f"/proc/{pid}").exists()
    assert not debian.policy.exists()


def test_the_run_after_a_killed_one_puts_the_former_policy_back(debian: FakeDebian) -> None:
    debian.policy.write_text(OLD_POLICY)
    interrupt_during_installation(debian, signal.SIGKILL)
    left = debian.policy.read_text()

    with nothing_starts(debian.policy):
        pass

    assert "exit 101" in left
    assert debian.policy.read_text() == OLD_POLICY
