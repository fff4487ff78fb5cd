"""Crashes at every step: what a call did until then stays, and the error of a call that fails is shown."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from share_actors.drivers import DriverError, DriverOptions, ShareDriver
from share_actors.testing.crash_points import Different, StepFailed, count_steps, die_at


class TwoSteps(ShareDriver):
    """A driver whose steps are the lines of this file."""

    def write(self, directory: Path) -> None:
        (directory / "first").touch()
        (directory / "second").touch()

    def write_slowly(self, directory: Path) -> None:
        while len(list(directory.iterdir())) < 9:
            self.write_next(directory)

    def write_next(self, directory: Path) -> None:
        (directory / str(len(list(directory.iterdir())))).touch()

    def fail(self) -> None:
        raise DriverError("the shelf of the cupboard broke")


@pytest.fixture
def driver() -> TwoSteps:
    return TwoSteps(configuration=DriverOptions())


def test_a_call_has_the_steps_of_its_lines(driver: TwoSteps, tmp_path: Path) -> None:
    assert count_steps(partial(driver.write, tmp_path), TwoSteps) == 2


@pytest.mark.parametrize(("step", "left"), [(1, []), (2, ["first"]), (3, ["first", "second"])])
def test_a_crash_leaves_what_the_steps_before_it_made(
    driver: TwoSteps, tmp_path: Path, step: int, left: list[str]
) -> None:
    die_at(step, partial(driver.write, tmp_path), TwoSteps)

    assert sorted(path.name for path in tmp_path.iterdir()) == left


def test_lines_that_the_same_calls_reach_can_be_steps_a_few_times_only(
    driver: TwoSteps, tmp_path: Path
) -> None:
    loop, times = partial(driver.write_slowly, tmp_path), Different(times=2)

    die_at(6, loop, TwoSteps, times)
    left = [path.name for path in tmp_path.iterdir()]

    assert left == ["0"]
    assert count_steps(loop, TwoSteps, times) == 3 * 2


def test_lines_of_a_file_without_effects_are_no_steps(driver: TwoSteps, tmp_path: Path) -> None:
    pure = Different(pure=frozenset({Path(__file__).name}))
    assert count_steps(partial(driver.write, tmp_path), TwoSteps, pure) == 0


@pytest.mark.parametrize("run", [count_steps, partial(die_at, 99)])
def test_the_error_of_a_failing_call_is_shown_with_its_line(driver: TwoSteps, run: object) -> None:
    assert callable(run)
    with pytest.raises(
        StepFailed, match=r"in fail(.|\n)*DriverError: the shelf of the cupboard broke"
    ):
        run(driver.fail, TwoSteps)
