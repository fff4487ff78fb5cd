"""Signals that end a command: no interrupt is lost, wherever it is raised."""

from __future__ import annotations

import signal
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from share_actors.cli import interrupts
from share_actors.cli.command import run_guarded
from share_actors.cli.session import Options, Session

INTERRUPTED = 130


class Target:
    """An object that a weak reference can refer to."""


class Finalized:
    """An object whose finalizer gets SIGINT."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def in_a_finalizer() -> None:
    Finalized()


def in_a_callback_of_a_weak_reference() -> None:
    target = Target()
    reference = weakref.ref(target, lambda _: signal.raise_signal(signal.SIGINT))
    del target
    assert reference() is None


def where_all_exceptions_are_caught() -> None:
    try:
        signal.raise_signal(signal.SIGINT)
    except BaseException:
        return


def wait_for_ever() -> None:
    assert threading.Event().wait(60), "the interrupt was lost"


@pytest.mark.parametrize("interrupt", [in_a_finalizer, in_a_callback_of_a_weak_reference])
def test_an_interrupt_that_python_ignores_ends_the_command(interrupt: Callable[[], None]) -> None:
    def call() -> None:
        interrupt()
        wait_for_ever()

    assert run_guarded(Session(Options()), call) == INTERRUPTED


class SlowTimer(threading.Timer):
    """A timer that is over before its start returns, as on a busy machine."""

    def start(self) -> None:
        super().start()
        time.sleep(5 * interrupts.SEND_AGAIN_AFTER_S)


def test_an_interrupt_that_is_sent_again_too_early_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts = iter([SlowTimer, SlowTimer])
    timer = threading.Timer

    def made(*args: Any) -> threading.Timer:
        return next(starts, timer)(*args)

    def call() -> None:
        monkeypatch.setattr(threading, "Timer", made)
        in_a_finalizer()
        wait_for_ever()

    assert run_guarded(Session(Options()), call) == INTERRUPTED


@pytest.mark.parametrize(
    "interrupt",
    [in_a_finalizer, in_a_callback_of_a_weak_reference, where_all_exceptions_are_caught],
)
def test_a_command_that_ends_although_it_was_interrupted_says_so(
    interrupt: Callable[[], None],
) -> None:
    assert run_guarded(Session(Options()), interrupt) == INTERRUPTED


def test_sigterm_that_was_ignored_interrupts_the_block_that_raises_it() -> None:
    target = Target()
    reference = weakref.ref(target, lambda _: signal.raise_signal(signal.SIGTERM))

    def run() -> None:
        nonlocal target
        with interrupts.raised():
            del target
            wait_for_ever()

    with pytest.raises(KeyboardInterrupt):
        run()
    assert reference() is None


def test_a_second_signal_does_not_interrupt_what_the_first_one_began() -> None:
    undone = []

    def run() -> None:
        with interrupts.raised():
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                signal.raise_signal(signal.SIGINT)
                undone.append("everything")
                raise

    with pytest.raises(KeyboardInterrupt):
        run()
    assert undone == ["everything"]


def test_the_handlers_of_before_are_restored_after_the_block() -> None:
    before = [signal.getsignal(number) for number in interrupts.SIGNALS]

    with pytest.raises(KeyboardInterrupt), interrupts.raised():
        in_a_finalizer()

    assert [signal.getsignal(number) for number in interrupts.SIGNALS] == before
