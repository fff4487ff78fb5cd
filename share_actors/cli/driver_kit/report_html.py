"""A grade as one HTML file that needs nothing else, readable in light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from string import Template

from share_actors.cli.driver_kit import report_text
from share_actors.testing.grading.grade import Grade, Outcome, PromiseGrade

MARKS = {"kept": "✓", "broken": "✗", "not tested": "○"}


def page(grades: Sequence[Grade]) -> str:
    """The report of all *grades*."""
    template = files("share_actors.cli.driver_kit").joinpath("report.html.in")
    drivers = ", ".join(grade.driver for grade in grades)
    return Template(template.read_text(encoding="utf-8")).substitute(
        title=escape(f"Grade of {drivers}"), body="\n".join(map(_grade, grades))
    )


def _grade(grade: Grade) -> str:
    words = "passed" if grade.passed else "failed"
    return "\n".join(
        [
            f"<section><h1>{escape(report_text.title(grade))}</h1>",
            f'<p class="{words}">{escape(report_text.summary(grade))}</p>',
            f"<p>{_circumstances(grade)}</p>",
            _areas(grade),
            *map(_promise, sorted(grade.promises, key=lambda p: p.verdict != "broken")),
            "</section>",
        ]
    )


def _circumstances(grade: Grade) -> str:
    quick = ", at few steps of each method" if grade.quick else ""
    return f"{escape(grade.at)}, in {grade.seconds:.0f} s{quick}"


def _areas(grade: Grade) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("Area", "Verdict", "Promises", "Tests", "Time"))
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _marked(row))}</tr>"
        for row in report_text.rows(grade)
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _marked(row: Sequence[str]) -> list[str]:
    area, verdict, *rest = row
    return [area, f"{MARKS[verdict]} {verdict}", *rest]


def _promise(promise: PromiseGrade) -> str:
    shown = " open" if promise.failures else ""
    name = f"{MARKS[promise.verdict]} <b>{escape(promise.name)}</b> {escape(promise.verdict)}"
    return "\n".join(
        [
            f'<details class="{promise.verdict.replace(" ", "-")}"{shown}>',
            f"<summary>{name} <span>{escape(promise.area)}</span></summary>",
            f"<p>{_code(promise.text)}</p><p>Without it: {_code(report_text.lowered(promise.why))}</p>",
            *map(_outcome, promise.outcomes),
            "</details>",
        ]
    )


def _outcome(outcome: Outcome) -> str:
    test = f"<code>{escape(outcome.test)}</code> {outcome.outcome}"
    if outcome.outcome == "skipped":
        return f"<p>{test}: {escape(outcome.reason)}</p>"
    return f"<p>{test} in {outcome.seconds:.2f} s</p>{''.join(_failure(outcome))}"


def _failure(outcome: Outcome) -> Iterator[str]:
    if outcome.outcome == "failed":
        parts = {"Tried": outcome.tried, "Expected": outcome.expected, "Seen": outcome.seen}
        rows = (f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in parts.items())
        yield f"<dl>{''.join(rows)}</dl>"


def _code(text: str) -> str:
    """*text* as HTML, with what is between backquotes as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
