"""Commands with several targets: each is tried, told by itself, and all lead to one exit code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeVar

import typer

from share_actors.cli.exit_codes import SOME_FAILED
from share_actors.cli.output import error_document, escape, next_step
from share_actors.cli.session import Session
from share_actors.errors import ShareActorsError

T = TypeVar("T")


class Told(NamedTuple):
    """What became of one target: a line for people, and its JSON document."""

    text: str
    document: Mapping[str, Any]


Outcome = Told | ShareActorsError


def attempt(act: Callable[[], T]) -> T | ShareActorsError:
    """What *act* returns, or the error that it raises."""
    try:
        return act()
    except ShareActorsError as error:
        return error


def report(session: Session, outcomes: Mapping[str, Outcome], failed: str) -> None:
    """Tell the *outcomes*, by their targets, and end the command with their exit code unless all is well.

    *failed* says what is told of a target with an error, such as `Not deleted`.
    """
    if session.output.view.has_documents:
        results = [_document(target, outcome) for target, outcome in outcomes.items()]
        session.output.print_json({"results": results})
    else:
        for target, outcome in outcomes.items():
            _tell(session, target, outcome, failed)
    errors = [outcome for outcome in outcomes.values() if isinstance(outcome, ShareActorsError)]
    if errors:
        _tell_next_step(session, errors[0])
        session.disconnect()
        raise typer.Exit(exit_code_of(errors))


def _tell(session: Session, target: str, outcome: Outcome, failed: str) -> None:
    """Tell one outcome: the row or the name of what was changed, a line for people, or an error."""
    if not isinstance(outcome, Told):
        text = f"[bold red]{failed}:[/] {escape(target)}: {escape(outcome.message)}"
        session.output.print_message(text)
    elif session.json:
        session.output.print_json_line(outcome.document.get("share", outcome.document))
    else:
        session.output.print_message(outcome.text)


def exit_code_of(errors: Collection[ShareActorsError]) -> int:
    """The exit code that all *errors* have, or else that of several different ones."""
    codes = {error.exit_code for error in errors}
    return codes.pop() if len(codes) == 1 else SOME_FAILED


def _tell_next_step(session: Session, error: ShareActorsError) -> None:
    session.output.print_message(f"  {escape(next_step(error, session.command))}")


def _document(target: str, outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Told):
        return {"target": target, **outcome.document, "error": None}
    return {"target": target, "error": error_document(outcome)}
