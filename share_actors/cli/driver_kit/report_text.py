"""A grade as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from share_actors.cli.output import count
from share_actors.testing.contracts.promises import AREAS
from share_actors.testing.grading.grade import Grade, Outcome, PromiseGrade, Verdict

VERDICTS: tuple[Verdict, ...] = ("kept", "broken", "not tested")


def title(grade: Grade) -> str:
    """What was graded, and with what."""
    package = f" of {grade.version}" if grade.version else ""
    return f"Driver {grade.driver}{package}, graded by share-actors {grade.system_version}"


def summary(grade: Grade) -> str:
    """The grade in one sentence."""
    found = {v: sum(p.verdict == v for p in grade.promises) for v in VERDICTS}
    tested = found["kept"] + found["broken"]
    untested = f"; {found['not tested']} do not concern it, or could not be tested"
    if found["broken"]:
        return f"It breaks {found['broken']} of {count(tested, 'promise')}{untested}."
    return f"It keeps all {count(tested, 'promise')}{untested}."


def rows(grade: Grade) -> Iterator[tuple[str, str, str, str, str]]:
    """The areas, each with its verdict and its numbers of promises and of seconds."""
    verdicts = grade.areas()
    for area in AREAS:
        promises = grade.of_area(area)
        numbers = [sum(p.verdict == v for p in promises) for v in VERDICTS]
        seconds = sum(o.seconds for p in promises for o in p.outcomes if o.outcome != "skipped")
        shown = ", ".join(f"{n} {v}" for n, v in zip(numbers, VERDICTS, strict=True) if n)
        tests = sum(o.outcome != "skipped" for p in promises for o in p.outcomes)
        yield area, verdicts[area], shown, str(tests), f"{seconds:.1f} s"


def details(grade: Grade) -> Iterator[str]:
    """What is broken, and what was not tested, line by line."""
    for promise in grade.promises:
        if promise.failures:
            yield from _broken(promise)
    yield from _untested(grade)


def _untested(grade: Grade) -> Iterator[str]:
    """The promises that were not tested, together with those that have the same reason."""
    names: dict[str, list[str]] = {}
    for promise in grade.promises:
        if promise.verdict == "not tested":
            reason = "; ".join(promise.reasons) or "the contract that was run has no test of it"
            names.setdefault(reason, []).append(promise.name)
    for reason, untested in names.items():
        yield f"Not tested: {', '.join(untested)}: {reason}"


def _broken(promise: PromiseGrade) -> Iterator[str]:
    yield f"Broken: {promise.name} ({promise.area})"
    yield f"  Promise:  {promise.text}"
    yield f"  Risk:     {promise.why}"
    for failure in promise.failures:
        yield from _failure(failure)
    yield ""


def lowered(sentence: str) -> str:
    """*sentence* as it is said after a colon."""
    return sentence[:1].lower() + sentence[1:]


def _failure(failure: Outcome) -> Iterator[str]:
    yield f"  Test:     {failure.test}"
    yield f"  Tried:    {failure.tried}"
    yield f"  Expected: {failure.expected}"
    yield f"  Seen:     {failure.seen}"
