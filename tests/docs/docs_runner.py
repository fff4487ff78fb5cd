"""Runs a page of the documentation as its reader would: writes its files, runs its commands and its Python.

Everything runs in other processes, so that a page may start Ray, end it, and kill processes of its system.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import Block, Shown, blocks, commands, named
from tests.preloaded import programs

READER = "alice"
SHARED = "<!-- needs: a running system -->"
"""Pages with this comment use a system that runs already; others start their own, if any."""
SHOWN_HOME = "/home/alice"
MAX_WAIT_S = 300
"""How long one command of a page may take on a busy machine; `pip install` is the slowest."""
PAGE_TIMEOUT_S = 900
_VARYING = (
    (r"\\\.\\\.\\\.", r".*"),
    (r"[0-9a-f]{8}(?:\\-[0-9a-f]{4}){3}\\-[0-9a-f]{12}", r"[0-9a-f-]{36}"),
    (r"\d{4}\\-\d\d\\-\d\d[\\ T]+\d\d:\d\d:\d\d(?:\\\.\d+)?", r"[\\d-]+[ T][\\d:.]+"),
    (r"\d+[smhd](?:\d+[smhd])?\\ ago", r"\\d+[smhd](?:\\d+[smhd])? ago"),
    (r"127\\\.0\\\.0\\\.1:\d+", r"127\\.0\\.0\\.1:\\d+"),
    (r"(?:\\ |\\\n)+", r"\\s+"),
)
"""Parts of a page's output that differ from run to run: `...`, ids, times, ages, addresses and widths."""


class Reader:
    """A user with a new home directory who runs what pages show.

    With *entry_point* the commands of a page are the installed `share-actors`; else a program that does
    the same in a process which has imported it already (`tests.preloaded`).
    """

    def __init__(self, home: Path, *, entry_point: bool = False) -> None:
        self.home = home
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("SHARE_ACTORS_", "RAY_"))}
        path = [str(Path(sys.executable).parent), clean.get("PATH", "")]
        if not entry_point:
            preloaded = (programs.share_actors(), programs.python())
            path = [*(str(Path(program).parent) for program in preloaded), *path]
        self._environment = {
            **clean,
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / ".local" / "state"),
            "LOGNAME": READER,
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": str(home),
        }

    def follow(self, page: Path) -> None:
        """Run all that *page* shows; AssertionError names the line whose result differs from the page."""
        script: list[Block] = []
        for block in blocks(page):
            if block.language == "python" and block.file is None:
                script.append(block)
                continue
            self._run_script(page, script)
            script = []
            self._do(page, block)
        self._run_script(page, script)

    def leave(self) -> None:
        """End the system that the page started, unless the page ended it."""
        if (self.home / ".local/state/share-actors/system.json").exists():
            self.run("share-actors down")

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run *command* in a shell; stderr is in its output."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.home,
            env=self._environment,
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=MAX_WAIT_S,
        )

    # -- inside ----------------------------------------------------------------------------------
    def _do(self, page: Path, block: Block) -> None:
        if block.file is not None:
            text = block.text.replace(SHOWN_HOME, str(self.home))
            (self.home / block.file).write_text(text, encoding="utf-8")
        elif block.language == "console":
            for shown in commands(block):
                self._compare(page, shown)

    def _compare(self, page: Path, shown: Shown) -> None:
        if shown.command.startswith("pip install"):
            self._use_own_environment()
        ran = self.run(shown.command)
        where = f"{named(page)}:{shown.line}: {shown.command}"
        assert ran.returncode == 0, f"{where}: ended with {ran.returncode}:\n{ran.stdout}"
        expected = pattern(shown.output, self.home)
        assert re.search(expected, ran.stdout, re.DOTALL), f"{where}: printed:\n{ran.stdout}"

    def _use_own_environment(self) -> None:
        """Create a virtual environment that has what this process has installed, and use it from now on.

        `pip` installs into it, so that a page can install its package with its own commands.
        """
        environment = self.home / ".venv"
        if environment.exists():
            return
        venv.create(environment, with_pip=find_spec("pip") is None, symlinks=True)
        present = sysconfig.get_path("purelib")
        added = sysconfig.get_path("purelib", "venv", {"base": str(environment)})
        (Path(added) / "present.pth").write_text(f"import site; site.addsitedir({present!r})\n")
        for name, module in (("pip", "pip"), ("share-actors", "share_actors.cli")):
            program = environment / "bin" / name
            program.write_text(f'#!/bin/sh\nexec "{environment}/bin/python" -m {module} "$@"\n')
            program.chmod(0o755)
        path = [str(environment / "bin"), self._environment["PATH"]]
        self._environment["PATH"] = os.pathsep.join(path)
        del self._environment["PYTHONPATH"]

    def _run_script(self, page: Path, script: list[Block]) -> None:
        """Run blocks as one program whose line numbers are those of *page*."""
        if not script:
            return
        lines: list[str] = []
        for block in script:
            lines += [""] * (block.line - 1 - len(lines)) + block.text.splitlines()
        program = self.home / f"{page.stem}_page.py"
        program.write_text("\n".join(lines) + "\n", encoding="utf-8")
        ran = self.run(f"python -W error {program}")
        assert ran.returncode == 0, f"{named(page)}:{script[0].line}:\n{ran.stdout}"


def pattern(shown: str, home: Path) -> str:
    """The regular expression for output that a page shows."""
    expected = re.escape(shown.strip().replace(SHOWN_HOME, str(home)))
    for varying, anything in _VARYING:
        expected = re.sub(varying, anything, expected)
    return expected


def supports_acls(directory: Path) -> bool:
    """Whether the filesystem of *directory* has POSIX ACLs."""
    try:
        os.getxattr(directory, "system.posix_acl_access")
    except OSError as error:
        return error.errno == errno.ENODATA
    return True


# -- as tests ------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def reader_of_running_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader in whose home a system runs, for all pages that need one."""
    reader = Reader(tmp_path_factory.mktemp("running"))
    started = reader.run("share-actors up")
    assert started.returncode == 0, started.stdout
    yield reader
    reader.leave()


def follow(page: Path, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The test of one page; the README is run with the installed command."""
    if not supports_acls(tmp_path):
        pytest.skip("the filesystem of the temporary directory has no POSIX ACLs")
    if SHARED in page.read_text(encoding="utf-8"):
        shared: Reader = request.getfixturevalue("reader_of_running_system")
        shared.follow(page)
        return
    reader = Reader(tmp_path, entry_point=page.name == "README.md")
    try:
        reader.follow(page)
    finally:
        reader.leave()


class DocsPage(pytest.File):
    """A page of the documentation: one test, which runs everything that it shows."""

    def collect(self) -> Iterator[pytest.Item]:
        """The test, if the page has Python or commands."""

        def examples_run_as_shown(request: pytest.FixtureRequest, tmp_path: Path) -> None:
            follow(self.path, request, tmp_path)

        if any(block.language in ("python", "console") for block in blocks(self.path)):
            page = pytest.Function.from_parent(
                self, name="examples_run_as_shown", callobj=examples_run_as_shown
            )
            page.add_marker(pytest.mark.timeout(PAGE_TIMEOUT_S))
            yield page
