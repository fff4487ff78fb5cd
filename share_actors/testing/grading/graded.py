"""The contract on the driver of a plan: tests that `runs` starts in a process of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from share_actors.drivers.base import ShareDriver
from share_actors.testing import DriverContract, ServerContract
from share_actors.testing.grading.plan import Plan
from share_actors.testing.grading.plugin import plan_of

QUICK_STEPS, QUICK_STALLS = 5, 10


class Graded:
    """A driver on an empty backend, as the plan says."""

    servers: ClassVar[bool] = False

    @pytest.fixture
    def driver(self, request: pytest.FixtureRequest, tmp_path: Path) -> ShareDriver:
        """A new one for each test."""
        return plan_of(request.config).make(tmp_path, servers=self.servers)


class TestShares(Graded, DriverContract):
    """The contract of drivers."""


class TestServers(Graded, ServerContract):
    """The contract of drivers that handle share servers."""

    servers = True


def use(plan: Plan) -> None:
    """Have the classes above run as *plan* says; called before they are collected."""
    own: Any = plan.contract_class()
    if own is not None:
        globals()["TestShares"] = own
    if plan.quick:
        kinds: tuple[Any, ...] = (TestShares, TestServers) if own is None else (own,)
        for kind in kinds:
            kind.most_steps, kind.most_stalls = QUICK_STEPS, QUICK_STALLS
