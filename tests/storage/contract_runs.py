"""Runs of chosen tests in a pytest process of their own, with the outcome of each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
Outcomes = dict[tuple[str, str], str | None]
"""By class and test: the failure with its traceback, or the reason of a skip; None if it passed."""
SKIPPED = "skipped: "


def outcomes(module: Path, tests: Iterable[tuple[str, str]], report: Path) -> Outcomes:
    """Run *tests* (class and name) of *module*; *report* is a file to write."""
    where = module.relative_to(ROOT)
    chosen = [f"{where}::{group}::{name}" for group, name in sorted(set(tests))]
    options = ["-p", "no:randomly", "-p", "no:cacheprovider", f"--junit-xml={report}"]
    command = [sys.executable, "-m", "pytest", *options, *chosen]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    cases = ElementTree.parse(report).iter("testcase")
    return {
        (case.get("classname", "").rpartition(".")[2], case.get("name", "")): _text(case)
        for case in cases
    }


def _text(case: ElementTree.Element) -> str | None:
    if (skipped := case.find("skipped")) is not None:
        return f"{SKIPPED}{skipped.get('message')}"
    failed = [*case.findall("failure"), *case.findall("error")]
    return "\n".join(f"{each.get('message', '')}\n{each.text}" for each in failed) or None
