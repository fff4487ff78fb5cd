"""`share-actors driver grade`: which drivers are graded, with what options, and how the grades are shown."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from pathlib import Path
from typing import Any

from share_actors.cli.command import installed_version
from share_actors.cli.driver_kit import report_html, report_text
from share_actors.cli.new_file import new_file
from share_actors.cli.output import escape
from share_actors.cli.session import Session
from share_actors.drivers.registry import GROUP, known_drivers
from share_actors.errors import InvalidRequest, shown
from share_actors.testing.grading.grade import Grade
from share_actors.testing.grading.plan import Plan
from share_actors.testing.grading.runs import Progress, grade

BROKEN = 1
"""The exit code if a promise is broken."""
TOLD_EACH = 25
"""After how many tests a line is printed where there is no terminal."""


def plans(
    named: str, options: Sequence[str], contract: str | None, **limits: Any
) -> tuple[Plan, ...]:
    """A plan for each driver that *named* means; raises `InvalidRequest` for what is none."""
    given = dict(map(_option, options))
    if ":" in named or contract is not None:
        sys.path.insert(0, "")  # modules of the working directory, as `python -m` finds them
    return tuple(
        Plan(driver=name, options=given, contract=contract, **limits) for name in _names(named)
    )


def _option(text: str) -> tuple[str, Any]:
    """`KEY=VALUE`: the value is JSON if it can be read as such, and otherwise text."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InvalidRequest(
            f"--option: {shown(text)} is not KEY=VALUE", field="option", value=text
        )
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _names(named: str) -> tuple[str, ...]:
    if ":" in named or named in known_drivers():
        return (named,)
    with suppress(PackageNotFoundError, ValueError):
        points = distribution(named).entry_points.select(group=GROUP)
        if names := tuple(sorted({point.name for point in points})):
            return names
    known = ", ".join(known_drivers())
    raise InvalidRequest(
        f"DRIVER: {shown(named)} is no installed driver, and no package with drivers; drivers: {known}",
        field="driver",
        value=named,
    )


def run(session: Session, plan: Plan) -> Grade:
    """Grade one driver, with a line of progress on a terminal."""
    on_terminal = session.output.err.is_terminal
    with session.output.spinner(f"grading {plan.driver}") as update:

        def show_progress(progress: Progress) -> None:
            broken = f", {progress.broken} failed" if progress.broken else ""
            if on_terminal or progress.done % TOLD_EACH == 0 or progress.done == progress.tests:
                update(f"grading {plan.driver}: {progress.done} of {progress.tests}{broken}")

        return grade(
            plan,
            version=_package_of(plan.driver),
            system_version=installed_version(),
            progress=show_progress,
        )


def _package_of(driver: str) -> str:
    """The package that provides a driver, with its version; empty for a class that no entry point names."""
    for point in entry_points(group=GROUP, name=driver):
        if point.dist is not None:
            return f"{point.dist.name} {point.dist.version}"
    return ""


def check_new(file: Path) -> None:
    """Raise `InvalidRequest` if *file* exists or has no directory: before a run, which takes minutes."""
    problem = "exists; it was not changed: choose a new name" if os.path.lexists(file) else ""
    if not file.parent.is_dir():
        problem = f"cannot be written: {file.parent} is not a directory"
    if problem:
        message = f"--html: {file} {problem}"
        raise InvalidRequest(message, field="html", value=str(file))


def write_html(file: Path, found: Sequence[Grade]) -> None:
    """Write the report to a new *file*; raises `InvalidRequest`."""
    with new_file(file, "html") as opened:
        opened.write(report_html.page(found))


def show(session: Session, found: Sequence[Grade]) -> None:
    """Print the grades."""
    if session.json:
        documents: list[Mapping[str, Any]] = [one.document() for one in found]
        session.output.print_json({"grades": documents})
        return
    for one in found:
        session.output.print(escape(report_text.title(one)))
        columns = ("AREA", "VERDICT", "PROMISES", "TESTS", "TIME")
        session.output.print_table(columns, report_text.rows(one))
        for line in report_text.details(one):
            session.output.print(escape(line))
        session.output.print(escape(report_text.summary(one)))
