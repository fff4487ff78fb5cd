"""A grade: what a driver promises, and what it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from share_actors.testing.contracts.promises import AREAS, PROMISES, Area, Promise
from share_actors.values import Frozen

Verdict = Literal["kept", "broken", "not tested"]


class Outcome(Frozen):
    """The outcome of one test of the contract."""

    test: str
    promise: str
    outcome: Literal["passed", "failed", "skipped"]
    seconds: float = 0.0
    reason: str = ""
    """Why it was skipped."""
    tried: str = ""
    expected: str = ""
    seen: str = ""


class PromiseGrade(Frozen):
    """One promise: broken if one of its tests failed, kept if one passed and none failed."""

    name: str
    area: Area
    text: str
    why: str
    verdict: Verdict
    outcomes: tuple[Outcome, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it, or a part of it, was not tested."""
        return tuple(dict.fromkeys(o.reason for o in self.outcomes if o.reason))

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The tests that failed."""
        return tuple(o for o in self.outcomes if o.outcome == "failed")


class Grade(Frozen):
    """The grade of one driver."""

    driver: str
    """Its name, or where its class is."""
    version: str = ""
    """The package that has it, with its version."""
    system_version: str
    """The version of share-actors."""
    at: str
    """When it was graded, in UTC."""
    seconds: float = 0.0
    quick: bool = False
    promises: tuple[PromiseGrade, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no promise is broken, and one is kept."""
        verdicts = [promise.verdict for promise in self.promises]
        return "broken" not in verdicts and "kept" in verdicts

    def of_area(self, area: Area) -> tuple[PromiseGrade, ...]:
        """The promises of one area."""
        return tuple(promise for promise in self.promises if promise.area == area)

    def areas(self) -> dict[Area, Verdict]:
        """The verdict of each area: the worst of its promises."""
        return {area: _worst([p.verdict for p in self.of_area(area)]) for area in AREAS}

    def document(self) -> dict[str, Any]:
        """The grade as JSON."""
        own = self.model_dump(mode="json")
        return {**own, "passed": self.passed, "areas": self.areas()}


def graded(outcomes: Sequence[Outcome]) -> tuple[PromiseGrade, ...]:
    """Each promise with its verdict; what failed outside of all promises counts for `complete-class`."""
    return tuple(_of_promise(promise, outcomes) for promise in PROMISES.values())


def _of_promise(promise: Promise, outcomes: Sequence[Outcome]) -> PromiseGrade:
    own = tuple(o for o in outcomes if (o.promise or "complete-class") == promise.name)
    return PromiseGrade(
        name=promise.name,
        area=promise.area,
        text=promise.text,
        why=promise.why,
        verdict=_verdict(own),
        outcomes=own,
    )


def _verdict(outcomes: Sequence[Outcome]) -> Verdict:
    found = {outcome.outcome for outcome in outcomes}
    if "failed" in found:
        return "broken"
    return "kept" if "passed" in found else "not tested"


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    if "broken" in verdicts:
        return "broken"
    return "kept" if "kept" in verdicts else "not tested"
