"""A plugin of pytest that reports each test of a graded contract, as one line of JSON, when it has ended."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from share_actors.testing.contracts.expectations import BrokenPromise, promise_of
from share_actors.testing.grading.plan import Plan

_PLAN = pytest.StashKey[Plan]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the plan is read, and the report written."""
    parser.addoption("--grading-plan", help="the file of the plan")
    parser.addoption("--grading-report", help="the file of the report")


def pytest_configure(config: pytest.Config) -> None:
    """Read the plan."""
    from share_actors.testing.grading import graded  # noqa: PLC0415 - it needs this module

    text = Path(config.getoption("--grading-plan")).read_text(encoding="utf-8")
    plan = config.stash[_PLAN] = Plan.model_validate_json(text)
    graded.use(plan)


def plan_of(config: pytest.Config) -> Plan:
    """The plan of this run."""
    return config.stash[_PLAN]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Report how many tests there are."""
    _report(session.config, {"tests": len(session.items)})


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Report that a test begins: whoever reads the report stops one that does not end."""
    _report(item.config, {"test": item.name, "promise": _promise(item), "outcome": "begun"})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report a test that has been run, was skipped, or whose driver could not be set up."""
    report = yield
    if report.when == "call" or (report.when == "setup" and not report.passed):
        _report(item.config, _document(item, call, report))
    elif report.when == "teardown" and report.failed:
        _report(item.config, {**_document(item, call, report), "tried": "the end of the test"})
    return report


def _document(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
) -> dict[str, Any]:
    document = {
        "test": item.name,
        "promise": _promise(item),
        "outcome": report.outcome,
        "seconds": round(report.duration, 3),
    }
    if report.skipped and isinstance(report.longrepr, tuple):
        document["reason"] = report.longrepr[2].removeprefix("Skipped: ")
    elif report.failed and call.excinfo is not None:
        document |= _failure(call.excinfo.value, str(report.when))
    return document


def _promise(item: pytest.Item) -> str:
    promise = promise_of(getattr(item, "function", None))
    return "" if promise is None else promise.name


def _failure(error: BaseException, when: str) -> dict[str, str]:
    if isinstance(error, BrokenPromise):
        seen = error.unexpected
        return {"tried": seen.what, "expected": seen.expected, "seen": seen.seen}
    tried = "to make the driver and set it up" if when == "setup" else "the test"
    return {"tried": tried, "expected": "no exception", "seen": f"{type(error).__name__}: {error}"}


def _report(config: pytest.Config, document: dict[str, Any]) -> None:
    with Path(config.getoption("--grading-report")).open("a", encoding="utf-8") as file:
        file.write(json.dumps(document) + "\n")
