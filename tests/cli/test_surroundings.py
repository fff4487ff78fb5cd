"""The installed program in odd surroundings: other encodings, no colours, terminals of any width, none."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-m", "share_actors.cli"]
ENCODINGS = (
    {"LANG": "C"},
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
)


INHERITED = ("PATH", "PYTHONPATH", "HOME", "TMPDIR")


def environment(home: Path, variables: dict[str, str]) -> dict[str, str]:
    """*variables*, and what the program needs of this process' own: no encoding, width or colour."""
    own = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**own, "SHARE_ACTORS_HOME": str(home), **variables}


def run(tmp_path: Path, words: list[str], **variables: str) -> subprocess.CompletedProcess[bytes]:
    """The program, without a terminal anywhere."""
    return subprocess.run(
        [*PROGRAM, *words],
        env=environment(tmp_path, variables),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
        start_new_session=True,
        timeout=120,
    )


@pytest.mark.parametrize("variables", ENCODINGS, ids=str)
def test_a_name_that_is_not_ascii_is_shown_or_escaped_in_every_encoding(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    missing = run(tmp_path, ["config", "check", "süß.toml"], **variables)

    assert missing.returncode == 4, missing.stderr
    assert any(
        shown in missing.stderr
        for shown in ("süß.toml".encode(), rb"s\xfc\xdf.toml", rb"\udcc3\udcbc")
    ), missing.stderr
    assert b"Traceback" not in missing.stderr


def test_json_is_ascii_whatever_the_encoding(tmp_path: Path) -> None:
    result = run(tmp_path, ["config", "check", "süß.toml", "--json"], LANG="C.UTF-8")

    assert json.loads(result.stdout)["error"]["code"] == "config"
    assert (result.returncode, result.stdout.isascii(), result.stderr) == (4, True, b"")


def on_terminal(tmp_path: Path, words: list[str], width: int, **variables: str) -> str:
    """What the program writes to a terminal of *width* columns."""
    ours, its = pty.openpty()
    try:
        termios.tcsetwinsize(its, (25, width))
        with subprocess.Popen(
            [*PROGRAM, *words],
            env=environment(tmp_path, variables),
            stdin=its,
            stdout=its,
            stderr=its,
        ) as program:
            os.close(its)
            its = -1
            written = b"".join(iter(lambda: _read(ours), b""))
        assert program.returncode == 0, written
    finally:
        os.close(ours)
        if its >= 0:
            os.close(its)
    return written.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    """The next bytes; none after the program has ended, which Linux reports as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


@pytest.mark.parametrize("width", [80, 200])
def test_a_table_takes_the_width_of_the_terminal(tmp_path: Path, width: int) -> None:
    written = on_terminal(tmp_path, ["metrics", "list"], width, TERM="dumb")

    assert max(map(len, written.splitlines())) in range(width // 2, width + 1)
    assert ("No room for LABELS" in written) is (width == 80)


def test_a_terminal_with_colours_has_some_unless_no_color_or_a_dumb_one_is_set(
    tmp_path: Path,
) -> None:
    coloured = on_terminal(tmp_path, ["metrics", "list"], 80, TERM="xterm-256color")
    plain = on_terminal(tmp_path, ["metrics", "list"], 80, TERM="dumb")
    without = on_terminal(tmp_path, ["metrics", "list"], 80, TERM="xterm", NO_COLOR="1")

    assert "\x1b[1m" in coloured
    assert "\x1b" not in plain
    assert "\x1b[3" not in without
