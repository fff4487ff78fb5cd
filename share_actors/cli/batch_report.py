"""The report of a batch: its progress on a terminal, a JSON line for each item, and how it ended."""

# ruff: noqa: PLC0415 - Rich is imported when progress is shown
from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from share_actors.cli.batch_file import STDIN, Columns
from share_actors.cli.exit_codes import SOME_FAILED
from share_actors.cli.output import count, error_document, escape
from share_actors.cli.rendering import share_document
from share_actors.cli.session import Session
from share_actors.errors import ShareActorsError

if TYPE_CHECKING:
    from share_actors.client.bulk.batch import OperationName
    from share_actors.client.bulk.results import BulkResult


class SomeFailed(ShareActorsError):
    """Some items of a batch were refused, failed or did not end in time; the others are done."""

    code: ClassVar[str] = "some_failed"
    exit_code: ClassVar[int] = SOME_FAILED


class BatchKind(NamedTuple):
    """An operation on the items of a file: *noun* and *done* describe what it does to them in messages."""

    operation: OperationName
    columns: Columns
    noun: str
    done: str
    document: Callable[[BulkResult], dict[str, Any]]
    """What the JSON line of an item has that is done."""


class Batch(NamedTuple):
    """A file whose items are sent: its name as it was given, the id of the batch, and the number of items."""

    file: str
    batch_id: str
    items: int

    @property
    def options(self) -> str:
        """The options by which the same batch is sent again."""
        name = STDIN if self.file == STDIN else shlex.quote(self.file)
        return f"--from {name} --batch-id {shlex.quote(self.batch_id)}"


class BatchReport:
    """Counts the results of a batch and tells them as they come."""

    def __init__(self, session: Session, kind: BatchKind, batch: Batch, file_name: str) -> None:
        self._session, self._kind, self._batch, self._file_name = session, kind, batch, file_name
        self._began = time.monotonic()
        self.done = self.recorded = self.failed = 0

    @property
    def _prints_documents(self) -> bool:
        """Whether everything is told as documents; else those of the items alone, or nothing."""
        return self._session.json and self._session.output.view.has_documents

    @property
    def items(self) -> int:
        """The number of items of the batch."""
        return self._batch.items

    @property
    def ended(self) -> int:
        """The number of items that have a result."""
        return self.done + self.recorded + self.failed

    def begin(self) -> None:
        """Tell the id of the batch, before anything is recorded."""
        if self._prints_documents:
            document = {"id": self._batch.batch_id, "items": self._batch.items}
            self._session.output.print_json_line({"batch": document})
            return
        text = f"{count(self._batch.items, self._kind.noun)} in batch {self._batch.batch_id}."
        self._session.output.print_message(escape(text))

    def add(self, line: int, result: BulkResult) -> None:
        """Count and tell the *result* of the item in this *line* of the file."""
        status = _status(result)
        if result.error is not None:
            self.failed += 1
        elif status == "accepted":
            self.recorded += 1
        else:
            self.done += 1
        if self._prints_documents:
            self._session.output.print_json_line(self._document(line, status, result))
        elif self._session.json and result.error is None:
            self._session.output.print_json_line(_row(result))
        elif result.error is not None:
            told = f"{self._file_name}:{line}: {result.error.message}"
            self._session.output.print_message(
                f"[bold red]Not {self._kind.done}:[/] {escape(told)}"
            )

    def end(self) -> None:
        """Tell how the batch ended; raises `SomeFailed` if not all its items are done."""
        if self._prints_documents:
            counts = {"done": self.done, "accepted": self.recorded, "failed": self.failed}
            document = {"id": self._batch.batch_id, "items": self._batch.items, **counts}
            self._session.output.print_json_line({"batch": document})
        else:
            seconds = time.monotonic() - self._began
            self._session.output.print_message(escape(f"{self.summary()}, in {seconds:.1f} s."))
        if self.failed:
            failed = count(self.failed, self._kind.noun)
            raise SomeFailed(
                f"{failed} of {self._batch.items} could not be {self._kind.done}",
                next_step=_literal(
                    "All others are done. To repeat those that were refused, failed or are in progress, run"
                    f" `share-actors {self._session.command} {self._batch.options}`; nothing is done twice."
                ),
                batch_id=self._batch.batch_id,
            )

    def summary(self) -> str:
        """How many items have which result, such as `998 of 1000 shares created, 2 not`."""
        noun, done = self._kind.noun, self._kind.done
        text = f"{self.done} of {count(self._batch.items, noun)} {done}"
        text += f", {self.recorded} requested" if self.recorded else ""
        return text + (f", {self.failed} not" if self.failed else "")

    def how_to_resume(self) -> str:
        """What was done by now and how to go on, after something stopped the batch."""
        return (
            f"{self.summary()}; requests in progress continue. To do the rest, run"
            f" `share-actors {self._session.command} {self._batch.options}`; nothing is done twice."
        )

    def stopped_by(self, error: ShareActorsError) -> ShareActorsError:
        """*error*, which ended the batch, with how to resume it as the next step."""
        error.details["next_step"] = _literal(f"Stopped: {self.how_to_resume()}")
        error.details["batch_id"] = self._batch.batch_id
        return error

    def _document(self, line: int, status: str, result: BulkResult) -> dict[str, Any]:
        return {
            "index": result.index,
            "line": line,
            "key": result.key,
            "command_id": result.command_id,
            "share_id": result.share_id,
            "status": status,
            **self._kind.document(result),
            "error": None if result.error is None else error_document(result.error),
        }


def _row(result: BulkResult) -> dict[str, Any]:
    """What was made or changed, as the document of a row: the access rule, or else the share."""
    if result.rule is not None:
        return result.rule.model_dump(mode="json")
    share = {} if result.share is None else share_document(result.share)
    return {"id": result.share_id, **share}


def _status(result: BulkResult) -> str:
    """`done`, `accepted`, or the code of the error."""
    if result.error is not None:
        return result.error.code
    assert result.receipt is not None
    return result.receipt.status


def _literal(text: str) -> str:
    """*text* as a template without parameters."""
    return text.replace("{", "{{").replace("}", "}}")


def _show_nothing(_ended: int, _failed: int) -> None:
    """Progress that nobody sees."""


@contextmanager
def progress_bar(session: Session, total: int) -> Iterator[Callable[[int, int], None]]:
    """A function that shows how many items of *total* have ended and how many failed, on a terminal."""
    if session.json or not session.output.err.is_terminal:
        yield _show_nothing
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, TimeRemainingColumn(), console=session.output.err) as bar:
        task = bar.add_task("", total=total, note="")
        yield lambda ended, failed: bar.update(
            task, completed=ended, note=f"{failed} failed" if failed else ""
        )
