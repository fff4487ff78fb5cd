"""`share-actors apply` and `diff`: shares as a file declares them."""

# ruff: noqa: PLC0415 - the client is imported when a file is applied
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from share_actors.cli.batch_report import progress_bar
from share_actors.cli.command import command
from share_actors.cli.commands.share.revert import require_confirmation
from share_actors.cli.exit_codes import DIFFERS
from share_actors.cli.options import TimeoutOption
from share_actors.cli.output import Column, Table, count, error_document, escape, next_step
from share_actors.cli.session import Session
from share_actors.cli.targets import exit_code_of
from share_actors.errors import InvalidRequest, Refused, ShareActorsError

if TYPE_CHECKING:
    from share_actors.cli.apply.plan import Step
    from share_actors.cli.apply.running import Result

STEPS = Table(
    "step",
    (
        Column("ACTION", "action", "word", 0),
        Column("SHARE", "share", "word", 0),
        Column("DETAIL", "detail", "text", 1),
        Column("ID", "share_id", "id", 9),
    ),
    identity=None,
    times="relative",
)
DEFAULT_SET = "default"
FileOption = Annotated[
    str, typer.Option("--file", "-f", metavar="FILE", help="YAML or JSON; - is stdin.")
]
SetOption = Annotated[
    str | None,
    typer.Option(
        "--set",
        metavar="NAME",
        help="Name of the set that the file declares; shares that are created are marked with it."
        f" Default: {DEFAULT_SET}.",
    ),
]
PruneOption = Annotated[
    bool,
    typer.Option(
        "--prune", help="Delete the shares that this --set created and the file does not declare."
    ),
]


class _Planned(NamedTuple):
    steps: list[Step]
    set_name: str
    ignored: tuple[str, ...]

    @property
    def refused(self) -> list[Step]:
        return [step for step in self.steps if step.action == "refuse"]

    @property
    def deleted(self) -> list[Step]:
        return [step for step in self.steps if step.action == "delete"]

    def document(self, steps: Iterable[dict[str, Any]]) -> dict[str, Any]:
        return {"set": self.set_name, "ignored": list(self.ignored), "steps": list(steps)}


@command(
    "apply",
    table=STEPS,
    examples=[
        "apply -f shares.yaml --dry-run",
        "apply -f shares.yaml",
        "apply -f shares.yaml --set web --prune",
    ],
)
def apply(
    session: Session,
    file: FileOption,
    set_name: SetOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    prune: PruneOption = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask for confirmation. Scripts are never asked.")
    ] = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Create and change shares until they are as a file declares; what is so already is left alone.

    A run that was stopped is repeated safely: nothing is done twice.
    """
    session.interrupt_message = "Stopped. Nothing was recorded."
    planned = _planned(session, file, set_name, prune, timeout)
    if dry_run or planned.refused:
        _show(session, planned)
        _check_possible(planned)
    elif not planned.steps:
        _show(session, planned)
    else:
        if planned.deleted and not yes:
            _confirm(session, planned)
        _run(session, planned, timeout)


@command("diff", table=STEPS, examples=["diff -f shares.yaml", "diff -f shares.yaml --json"])
def diff(
    session: Session,
    file: FileOption,
    set_name: SetOption = None,
    prune: PruneOption = False,
    timeout: TimeoutOption = 300.0,
) -> None:
    """Show what `apply` would do. The exit code is 14 if shares are not as the file declares, else 0."""
    session.interrupt_message = "Stopped. Nothing was recorded."
    planned = _planned(session, file, set_name, prune, timeout)
    _show(session, planned)
    if planned.steps:
        session.disconnect()
        raise typer.Exit(DIFFERS)


# -- planning ------------------------------------------------------------------------------------
def _planned(
    session: Session, file: str, set_name: str | None, prune: bool, timeout: float
) -> _Planned:
    """The plan for *file*; raises `InvalidRequest` for what is wrong in it."""
    from share_actors.cli.apply.parsing import parse
    from share_actors.cli.apply.plan import plan
    from share_actors.cli.apply.reading import documents, read_text
    from share_actors.cli.apply.running import check, current_shares

    if prune and set_name is None:
        text = "set: --prune needs --set, the name of the set whose shares it may delete"
        raise InvalidRequest(text, field="set", value=None)
    chosen = DEFAULT_SET if set_name is None else set_name
    parsed = parse(documents(read_text(file)), session.context.project_id)
    if not chosen:
        raise InvalidRequest("set: is empty", field="set", value=chosen)
    check(session.system, parsed.shares, chosen)
    with session.output.spinner("comparing the shares with the file"):
        names = {share.name for share in parsed.shares}
        current = current_shares(session.system, names, timeout)
    return _Planned(plan(current, parsed.shares, chosen, prune=prune), chosen, parsed.ignored)


def _check_possible(planned: _Planned) -> None:
    """Raise `Refused` if the plan has steps that cannot be done."""
    if refused := planned.refused:
        first = refused[0]
        text = f"{count(len(refused), 'step')} cannot be done, so nothing was: {first.share}: {first.detail}"
        raise Refused(text, field="share", value=first.share)


def _confirm(session: Session, planned: _Planned) -> None:
    for step in planned.deleted:
        session.output.print_message(escape(f"delete {step.share} ({step.share_id})"))
    number = count(len(planned.deleted), "share")
    require_confirmation(
        f"{number} of the set {planned.set_name} will be deleted with their data.",
        "the deletion was not confirmed; nothing was done",
    )


# -- telling -------------------------------------------------------------------------------------
def _document(step: Step) -> dict[str, Any]:
    fields = ("action", "share", "share_id", "detail")
    return {name: getattr(step, name) for name in fields}


def _show(session: Session, planned: _Planned) -> None:
    _note(session, planned)
    if not planned.steps and session.output.view.is_for_people:
        session.output.print_message("All shares are as declared: nothing to do.")
        return
    session.output.print_items(
        STEPS, planned.steps, lambda steps: planned.document(map(_document, steps))
    )


def _note(session: Session, planned: _Planned) -> None:
    if planned.ignored:
        names = ", ".join(planned.ignored)
        session.output.print_message(escape(f"Ignored, as only the system sets it: {names}."))


def _run(session: Session, planned: _Planned, timeout: float) -> None:
    from share_actors.cli.apply.requests import Applier
    from share_actors.cli.apply.running import run

    session.interrupt_message = "Stopped. Requests in flight go on; run the same command again."
    _note(session, planned)
    results: list[Result] = []
    failed = 0
    with progress_bar(session, len(planned.steps)) as show:
        for result in run(Applier(session.system, planned.set_name, timeout), planned.steps):
            results.append(result)
            failed += result.error is not None
            show(len(results), failed)
    _report(session, planned, results)


def _report(session: Session, planned: _Planned, results: Sequence[Result]) -> None:
    """Tell the *results*, and end the command with their exit code unless all is done."""
    errors = [result.error for result in results if result.error is not None]
    if defects := [error for error in errors if not isinstance(error, ShareActorsError)]:
        raise defects[0]
    done = [result.step for result in results if result.error is None]
    documents = [_outcome(result) for result in results]
    session.output.print_items(
        STEPS,
        done if not session.output.view.has_documents else documents,
        planned.document,
    )
    _summarize(session, planned, results)
    if told := [error for error in errors if isinstance(error, ShareActorsError)]:
        session.output.print_message(f"  {escape(next_step(told[0], session.command))}")
        session.disconnect()
        raise typer.Exit(exit_code_of(told))


def _outcome(result: Result) -> dict[str, Any]:
    error = result.error
    told = error_document(error) if isinstance(error, ShareActorsError) else None
    return {**_document(result.step), "error": told}


def _summarize(session: Session, planned: _Planned, results: Sequence[Result]) -> None:
    for result in results:
        if isinstance(result.error, ShareActorsError):
            step = f"{result.step.action} {result.step.share}: {result.error.message}"
            session.output.print_message(f"[bold red]Not done:[/] {escape(step)}")
    done = sum(result.error is None for result in results)
    total = count(len(planned.steps), "step")
    session.output.print_message(f"{done} of {total} done.")
