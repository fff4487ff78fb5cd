"""The confirmation of `share revert`, at a real terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from share_actors.cli.commands.share.revert import require_confirmation
from share_actors.errors import Refused


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], int]]:
    """A function that types at the terminal which is the standard input."""
    ours, theirs = os.openpty()
    with open(theirs, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield partial(os.write, ours)
    os.close(ours)


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"\x04"], ids=["no", "nothing", "end of input"])
def test_a_revert_is_refused_unless_the_user_agrees(
    typed: Callable[[bytes], int], answer: bytes
) -> None:
    typed(answer)

    with pytest.raises(Refused, match="not confirmed; the share is as before"):
        require_confirmation("All is lost.")


def test_a_revert_goes_on_once_the_user_agrees(
    typed: Callable[[bytes], int], capsys: pytest.CaptureFixture[str]
) -> None:
    typed(b"y\n")

    require_confirmation("All is lost.")

    assert "All is lost. Continue?" in capsys.readouterr().err


def test_a_script_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)

        require_confirmation("All is lost.")
