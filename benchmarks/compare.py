"""Results that are kept by commit, compared with one another, and held against the recorded limits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
LIMITS = Path(__file__).parent / "limits.json"
NOTEWORTHY = 0.05
"""A change of processor time by this part is marked."""


def commit() -> str:
    """The short id of the commit that is checked out, with `-changed` if files differ from it."""
    result = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=-changed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


def kept(name: str) -> Path:
    """The file of the results that were saved under the commit *name*, or *name* itself if it is a file.

    A commit may be shortened. Exits with the saved ones if there is none or several.
    """
    if (path := Path(name)).is_file():
        return path
    found = sorted(RESULTS.glob(f"{name}*.json"))
    if len(found) != 1:
        saved = ", ".join(sorted(each.stem for each in RESULTS.glob("*.json"))) or "none"
        raise SystemExit(f"--against: {name!r} names {len(found)} saved results; saved: {saved}")
    return found[0]


def differences(now: Mapping[str, object], before: Mapping[str, object]) -> list[str]:
    """A line for each figure that both have: before, now, and the change in percent.

    Processor time that grew by `NOTEWORTHY` or more is marked. Compare runs of one machine.
    """
    lines = []
    for name, value in now.items():
        earlier = before.get(name)
        if not isinstance(value, float) or not isinstance(earlier, float) or not earlier:
            continue
        change = value / earlier - 1
        mark = "  SLOWER" if "cpu_" in name and change >= NOTEWORTHY else ""
        lines.append(f"{name:44}{earlier:>14,.2f}{value:>14,.2f}{change:>+9.1%}{mark}")
    return lines


def beyond_limits(figures: Mapping[str, object]) -> list[str]:
    """A sentence for each ratio to the bare application that is more than twice the recorded one."""
    limits: dict[str, float] = json.loads(LIMITS.read_text(encoding="utf-8"))
    sentences = []
    for name, recorded in limits.items():
        value = figures.get(name)
        if isinstance(value, float) and value > 2 * recorded:
            sentences.append(
                f"{name} is {value:.1f}, more than twice the recorded {recorded:.1f}: a command takes twice"
                f" the processor time; find out why, or record the new one in {LIMITS.relative_to(ROOT)}"
            )
    return sentences


def report(figures: Mapping[str, object], against: Path | None, check: bool) -> int:
    """Print the comparison and the limits that are exceeded to stderr; the exit status."""
    if against is not None:
        before = json.loads(against.read_text(encoding="utf-8"))
        print(f"\ncompared with {against.stem}:", file=sys.stderr)
        print("\n".join(differences(figures, before)), file=sys.stderr)
    exceeded = beyond_limits(figures) if check else []
    for sentence in exceeded:
        print(sentence, file=sys.stderr)
    return 1 if exceeded else 0
