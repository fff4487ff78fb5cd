"""`--from FILE`: a file of items is checked as a whole, then sent with a bounded number in flight."""

# ruff: noqa: PLC0415 - the client is imported by the commands that need it
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Annotated, Any, NoReturn

import typer

from share_actors.cli.batch_file import BatchFile, Row, opened, refusal
from share_actors.cli.batch_report import Batch, BatchKind, BatchReport, SomeFailed, progress_bar
from share_actors.cli.output import escape
from share_actors.cli.session import Session
from share_actors.cli.usage_errors import BadCommandLine
from share_actors.errors import InvalidRequest, ShareActorsError

CHECKED_AT_ONCE = 256
MAX_TOLD = 20
"""The most bad lines that an error tells."""

FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="Repeat for each line of this file, CSV or JSON Lines; - is stdin."
        " --json then prints JSON Lines.",
    ),
]
BatchIdOption = Annotated[
    str | None,
    typer.Option(
        "--batch-id",
        metavar="ID",
        help="With --from: continue the batch with this id; nothing is done twice.",
    ),
]


def check_options(session: Session, file: str | None, batch_id: str | None, **others: Any) -> None:
    """Raise `BadCommandLine` unless either `--from` or the *others* of the command are given.

    *others*: the values of the command's other options and arguments, by their names.
    """
    if file is None:
        if batch_id is not None:
            _refuse(session, "--batch-id needs --from", "--batch-id", batch_id)
        return
    for name, value in others.items():
        if value not in (None, False, [], ()):
            _refuse(session, f"{name} cannot be used with --from: the file says it", name, value)


def required(session: Session, name: str, value: str | None) -> str:
    """The *value* of the option or argument *name*; raises `BadCommandLine` if it was not given."""
    if value is None:
        kind = "option" if name.startswith("-") else "argument"
        _refuse(session, f"Missing {kind} '{name}', or --from", name, None)
    return value


def _refuse(session: Session, problem: str, name: str, value: object) -> NoReturn:
    step = f"Nothing was done. `share-actors {session.command} --help` shows the usage."
    field = name.lstrip("-").lower().replace("-", "_")
    raise BadCommandLine(f"{session.command}: {problem}", field=field, value=value, next_step=step)


def run(
    session: Session, file: str, kind: BatchKind, batch_id: str | None, timeout: float | None
) -> None:
    """Do *kind* for every item of *file*, and wait up to *timeout* seconds for each (None: do not wait).

    Raises `InvalidRequest` for a bad line, before anything is recorded, and `SomeFailed` at the end.
    """
    from share_actors.client.ids import fresh_id

    session.output.one_line = True
    session.interrupt_message = "Stopped. Nothing was recorded."
    with opened(file, kind.columns) as source:
        with session.output.spinner("checking the file"):
            items = _check(session, kind, source)
        chosen = batch_id if batch_id is not None else fresh_id()
        options: dict[str, Any] = {"batch_id": chosen, "wait": timeout is not None}
        if timeout is not None:
            options["timeout"] = timeout
        lines: dict[int, int] = {}
        send = getattr(session.system.bulk, kind.operation)
        report = BatchReport(session, kind, Batch(file, chosen, items), source.name)
        _follow(session, report, send(_items(source, lines), **options), lines)


def _follow(
    session: Session, report: BatchReport, results: Iterable[Any], lines: dict[int, int]
) -> None:
    """Tell the *results* as they come, and how the batch ended or can be resumed."""
    try:
        report.begin()
        with progress_bar(session, report.items) as show:
            for result in results:
                report.add(lines.pop(result.index), result)
                show(report.ended, report.failed)
        report.end()
    except KeyboardInterrupt:
        session.interrupt_message = f"Stopped: {report.how_to_resume()}"
        raise
    except SomeFailed:
        raise
    except ShareActorsError as error:
        raise report.stopped_by(error) from None


def _items(source: BatchFile, lines: dict[int, int]) -> Iterator[Mapping[str, object]]:
    """The items of *source*; *lines* gets the line of each, by its index."""
    for index, row in enumerate(source.rows()):
        lines[index] = row.line
        yield row.item


# -- the check -----------------------------------------------------------------------------------
def _check(session: Session, kind: BatchKind, source: BatchFile) -> int:
    """The number of items in *source*; raises `InvalidRequest` that tells its bad lines, if it has any."""
    bad: list[InvalidRequest] = []
    keys: dict[object, int] = {}
    items = 0
    for chunk, unreadable in _chunks(source):
        items += len(chunk)
        bad += _repeated_keys(source, chunk, keys)
        errors = session.system.bulk.check(kind.operation, [row.item for row in chunk])
        bad += [_in_line(source, chunk[n].line, error) for n, error in errors.items()]
        bad += [] if unreadable is None else [unreadable]
        if len(bad) >= MAX_TOLD:
            break
    if bad:
        raise _bad_lines(sorted(bad, key=lambda error: error.details["line"])[:MAX_TOLD])
    if not items:
        text = f"--from: {escape(source.name)} has no items; nothing was recorded"
        raise InvalidRequest(text, field="from", value=source.name)
    return items


def _chunks(source: BatchFile) -> Iterator[tuple[list[Row], InvalidRequest | None]]:
    """The rows of *source*, some at a time; with the last, the error of a line that cannot be read."""
    rows = source.rows()
    while True:
        chunk: list[Row] = []
        try:
            for row in islice(rows, CHECKED_AT_ONCE):
                chunk.append(row)  # noqa: PERF402 - those before an error are kept
        except InvalidRequest as error:
            yield chunk, error
            return
        if not chunk:
            return
        yield chunk, None


def _repeated_keys(
    source: BatchFile, chunk: Iterable[Row], keys: dict[object, int]
) -> Iterator[InvalidRequest]:
    for row in chunk:
        key = row.item.get("key")
        if isinstance(key, str) and keys.setdefault(key, row.line) != row.line:
            text = f"key: {key!r} is the key of line {keys[key]}, too"
            yield refusal(source.name, row.line, text, "key", key)


def _in_line(source: BatchFile, line: int, error: ShareActorsError) -> InvalidRequest:
    return refusal(source.name, line, error.reason, error.field, error.value)


def _bad_lines(bad: list[InvalidRequest]) -> InvalidRequest:
    """One error that tells all *bad* lines; its field and value are those of the first."""
    first = bad[0]
    told = [{"line": e.details["line"], "field": e.field, "message": e.message} for e in bad]
    lines = "\n".join(error.message for error in bad)
    details = {**first.details, "errors": told}
    return InvalidRequest(
        f"{lines}; nothing was recorded", field=first.field, value=first.value, **details
    )
