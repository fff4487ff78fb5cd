"""What every command that lists or shows something prints on a terminal of 80 columns, for the reference."""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path
from unittest import mock

from share_actors.cli.output import cells
from tests.cli.site import site
from tests.cli.terminal import seen
from tests.docs.shell import PROGRAM

WIDTH = 80
SHOWN_HOME = "/srv/alice/storage"
"""As long as the directories that `tempfile` makes below /tmp, so that no column is moved."""
_IDS = re.compile(
    r"\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})\b"
)
_TIMES = re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC")
_WITHOUT_PICTURE = ("config show", "metrics list", "log exposure")
"""Lists of settings and metrics, which other pages have; and how many seconds something took."""


def pictures() -> str:
    """One block for each command."""
    with (
        tempfile.TemporaryDirectory(prefix="site-", dir="/tmp") as home,
        mock.patch.object(cells, "format_age", return_value="3m12s ago"),
        site(Path(home)) as lines,
    ):
        taken = [_taken(name, words) for name, words in lines.items()]
    return _steady("\n\n".join(text for text in taken if text).replace(home, SHOWN_HOME))


def _taken(name: str, words: list[str]) -> str:
    if name in _WITHOUT_PICTURE:
        return ""
    out, err = seen(words, WIDTH)
    return f"```text\n$ {PROGRAM} {shlex.join(words)}\n{out}{err}```"


def _steady(text: str) -> str:
    """*text* with the same ids and times at every run."""
    ids: dict[str, str] = {}

    def steady(found: re.Match[str]) -> str:
        known = ids.setdefault(found[0], f"01a2b3c4-11f0-7b5e-9d57-{len(ids) + 1:012x}")
        return known if "-" in found[0] else known.replace("-", "")

    return _TIMES.sub("2026-03-14 09:26:53 UTC", _IDS.sub(steady, text))
