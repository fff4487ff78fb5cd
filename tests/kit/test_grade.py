"""`share-actors driver grade`: what is run, and how the outcome is told."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from share_actors import ConfigError
from share_actors.cli.driver_kit import report_html, report_text
from share_actors.drivers.dummy.faults import DummyOptions
from share_actors.drivers.local import LocalOptions
from share_actors.testing.grading import plugin, runs
from share_actors.testing.grading.grade import Grade, Outcome, graded
from share_actors.testing.grading.plan import Plan
from tests.cli_home import error_of, home, run

__all__ = ["home"]

MUTANT = "tests.drivers.contract_mutants:SeesNoRules"
OUTCOMES = (
    Outcome(test="test_a", promise="repeat-create", outcome="passed", seconds=1.0),
    Outcome(test="test_b", promise="repeat-create", outcome="skipped", reason="no time"),
    Outcome(
        test="test_c",
        promise="repeat-delete",
        outcome="failed",
        tried="delete_share",
        expected="no exception",
        seen="KeyError: '<script>'",
    ),
    Outcome(test="test_d", promise="probe-of-rules", outcome="skipped", reason="it has no rules"),
)


def grade_of(*outcomes: Outcome) -> Grade:
    promises = graded(outcomes)
    return Grade(driver="acme", system_version="1.0", at="2026-01-01T00:00:00", promises=promises)


def run_contract(name: str, *options: str) -> Any:
    contract = f"tests.kit.contracts:{name}"
    return run("--json", "driver", "grade", MUTANT, "--contract", contract, *options)


# -- verdicts ------------------------------------------------------------------------------------
def test_a_promise_is_broken_by_one_failure_and_kept_by_a_success() -> None:
    verdicts = {promise.name: promise.verdict for promise in grade_of(*OUTCOMES).promises}

    assert verdicts["repeat-create"] == "kept"
    assert verdicts["repeat-delete"] == "broken"
    assert verdicts["probe-of-rules"] == verdicts["repeat-setup"] == "not tested"


def test_an_area_has_the_worst_verdict_of_its_promises() -> None:
    areas = grade_of(*OUTCOMES).areas()

    assert (areas["idempotence"], areas["probe honesty"]) == ("broken", "not tested")


def test_a_grade_passes_only_if_something_was_tested_and_nothing_is_broken() -> None:
    assert not grade_of().passed
    assert grade_of(OUTCOMES[0]).passed
    assert not grade_of(*OUTCOMES).passed


def test_a_failure_outside_of_all_promises_breaks_that_of_a_complete_class() -> None:
    failure = Outcome(test="test_x", promise="", outcome="failed")

    assert grade_of(failure).areas()["completeness"] == "broken"


# -- reports -------------------------------------------------------------------------------------
def test_the_text_says_what_is_broken_and_why_the_rest_was_not_tested() -> None:
    grade = grade_of(*OUTCOMES)
    lines = list(report_text.details(grade))

    assert "Broken: repeat-delete (idempotence)" in lines
    assert "  Expected: no exception" in lines
    assert "  Seen:     KeyError: '<script>'" in lines
    assert "Not tested: probe-of-rules: it has no rules" in lines
    assert report_text.summary(grade).startswith("It breaks 1 of 2 promises; ")


def test_the_page_needs_nothing_else_and_shows_what_was_seen_as_text() -> None:
    page = report_html.page([grade_of(*OUTCOMES)])

    assert "KeyError: &#x27;&lt;script&gt;&#x27;" in page
    assert "<script" not in page
    assert not re.search(r"(src|href|url\()\s*=?", page)
    assert "prefers-color-scheme: dark" in page
    assert page.count("<details") == len(grade_of().promises)


# -- plans ---------------------------------------------------------------------------------------
def test_a_required_path_is_a_new_directory_unless_it_is_given(tmp_path: Path) -> None:
    made = Plan(driver="local").make(tmp_path, servers=False)
    given = Plan(driver="local", options={"root": "{tmp}/a"}).make(tmp_path, servers=False)

    roots = [driver.configuration for driver in (made, given)]
    assert roots == [LocalOptions(root=tmp_path / "root"), LocalOptions(root=tmp_path / "a")]


def test_a_class_without_an_entry_point_can_be_graded(tmp_path: Path) -> None:
    plan = Plan(driver=MUTANT, options={"directory": "{tmp}/state"})

    driver = plan.make(tmp_path, servers=False)

    assert type(driver).__name__ == "SeesNoRules"
    assert driver.configuration == DummyOptions(directory=tmp_path / "state")
    assert plan.modes() == ("shares", "servers")


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("no.such.module:Driver", "ModuleNotFoundError"),
        ("os:Driver", "AttributeError"),
        ("os:path", "is not a ShareDriver"),
    ],
)
def test_what_is_no_class_of_a_driver_is_refused(named: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        Plan(driver=named).driver_class()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "field", "code"),
    [
        (["no-such"], "driver", 3),
        (["pytest"], "driver", 3),
        (["local", "--option", "root"], "option", 3),
        (["local", "--option", "=x"], "option", 3),
        (["local", "--option", "rot=/x"], "backends.graded.options.rot", 4),
        (["local", "--contract", "os:path"], "contract", 4),
        (["local", "--html", "/dev/null"], "html", 3),
        (["local", "--html", "/no/such/report.html"], "html", 3),
        (
            [MUTANT, "--option", "rot=1"],
            "backends.graded.options.rot",
            4,
        ),
    ],
)
def test_what_cannot_be_graded_is_refused_with_the_field(
    arguments: list[str], field: str, code: int
) -> None:
    refused = run("--json", "driver", "grade", *arguments)

    assert (refused.exit_code, error_of(refused)["field"]) == (code, field)


# -- runs ----------------------------------------------------------------------------------------
def test_a_driver_that_keeps_its_promises_ends_with_0(home: Path) -> None:
    page = home / "report.html"
    ran = run_contract("Probes", "--html", str(page))

    [grade] = json.loads(ran.stdout)["grades"]
    assert (ran.exit_code, grade["passed"], grade["areas"]["probe honesty"]) == (0, True, "kept")
    assert "It keeps all 4 promises" in page.read_text()


@pytest.mark.usefixtures("home")
def test_a_driver_that_breaks_one_ends_with_1_and_the_report_says_how() -> None:
    ran = run_contract("ProbesOfAMutant")

    [grade] = json.loads(ran.stdout)["grades"]
    broken = {p["name"]: p["outcomes"] for p in grade["promises"] if p["verdict"] == "broken"}
    assert (ran.exit_code, list(broken)) == (1, ["probe-of-rules"])
    [failure] = broken["probe-of-rules"]
    assert failure["tried"] == "the access to a share with two rules a type, by its probe"
    assert failure["seen"] == "frozenset()"


def test_a_driver_that_cannot_be_made_is_told_as_such() -> None:
    assert plugin._failure(RuntimeError("no licence"), "setup") == {
        "tried": "to make the driver and set it up",
        "expected": "no exception",
        "seen": "RuntimeError: no licence",
    }


@pytest.mark.usefixtures("home")
def test_a_run_that_ends_early_is_an_error_with_what_it_printed() -> None:
    ran = run_contract("EndsTheRun")

    assert ran.exit_code == 11
    assert "ended with 7 after 0 of 6 tests" in error_of(ran)["message"]


def test_a_test_that_does_not_end_is_stopped_and_told(tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.write_text('{"tests": 3}\n')
    process = subprocess.Popen(["sleep", "600"])
    try:
        documents = list(runs._documents(process, report, limit_s=0.0))
    finally:
        process.kill()
        process.wait()
    hung = runs._hung({"test": "test_a", "promise": "one-system"}, 5.0, 2)

    assert documents == [{"tests": 3}]
    assert (hung.outcome, hung.expected) == ("failed", "an end within 5 s")
    assert hung.seen == "that it goes on: it was stopped, and 2 further tests were not made"


def test_the_options_of_a_plan_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    file = runs._private(tmp_path / "plan", "secret")

    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == "secret"
