"""`share-actors log export`, `import` and `stats`."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, cast

import typer

from share_actors.cli.command import choices, command
from share_actors.cli.commands.log.reading import (
    CommandFilter,
    KindFilter,
    LogOption,
    ProjectFilter,
    ShareFilter,
    SinceFilter,
    UntilFilter,
    UserFilter,
    chosen,
    opened,
    progress,
)
from share_actors.cli.new_file import new_file
from share_actors.cli.output import count, escape
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest

if TYPE_CHECKING:
    from share_actors.audit.transfer.export import Format

FORMATS = ("jsonl", "csv", "cloudevents", "parquet")


OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write this file. Default: stdout."),
]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format", help="jsonl, csv, cloudevents or parquet.", autocompletion=choices(*FORMATS)
    ),
]


# -- export --------------------------------------------------------------------------------------
@command(
    "log export",
    examples=["log export --output log.jsonl", "log export --format csv --share homes"],
)
def export(
    session: Session,
    output: OutputOption = None,
    form: FormatOption = "jsonl",
    share: ShareFilter = None,
    project: ProjectFilter = None,
    user: UserFilter = None,
    kind: KindFilter = None,
    since: SinceFilter = None,
    until: UntilFilter = None,
    command: CommandFilter = None,
    log: LogOption = None,
) -> None:
    """Write the log, or the events that match, to a file of JSON Lines, CSV, CloudEvents or Parquet.

    JSON Lines without a filter can be imported again. The export of an encrypted log is not encrypted. For
    cloudevents and parquet install the extra of this name of the package share-actors.
    """
    from share_actors.audit.transfer import export as exporting

    chosen_format = _format(form, output)
    filters = {"project": project, "user": user, "kind": kind, "since": since, "until": until}
    with opened(session, log) as reader:
        wanted = chosen(reader, share, command=command, **filters)
        with _file(session, output) as file, progress(session, "exporting") as report:
            exported = exporting.export(
                reader,
                file,
                wanted,
                chosen_format,
                report,
                session.config.audit_origin,
            )
    if output is not None:
        _report(session, "Exported", exported.events, exported.head, output)


def _format(form: str, output: Path | None) -> Format:
    """The format *form*; raises `InvalidRequest` if it is none, or cannot be written to *output*."""
    if form not in FORMATS:
        text = f"--format: {form!r} is not one of {', '.join(FORMATS)}"
        raise InvalidRequest(text, field="format", value=form)
    if form == "parquet" and output is None:
        text = "--output: name the file; a table is not written to stdout"
        raise InvalidRequest(text, field="output")
    return cast("Format", form)


@contextmanager
def _file(session: Session, output: Path | None) -> Iterator[TextIO]:
    """The file to write, which appears under its name when it is complete; or stdout."""
    if output is None:
        yield session.output.stdout
        return
    with new_file(output, "output") as file:
        yield file


def _report(session: Session, verb: str, events: int, head: int, file: Path) -> None:
    if session.json:
        session.output.print_json({"events": events, "head": head, "file": str(file)})
    else:
        text = f"{verb} {count(events, 'event')}, up to position {head}."
        session.output.print(escape(text))


# -- import --------------------------------------------------------------------------------------
@command("log import", examples=["--config site.toml log import log.jsonl"])
def import_(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An export as JSON Lines.")],
) -> None:
    """Read an export into the configured log, which must be empty or missing.

    Positions, ids and times are kept. Every record is verified by its digest, every stream by its versions,
    and the whole by the last line; if anything is wrong, nothing is imported.
    """
    from share_actors.audit.transfer.import_log import import_log

    config = session.config
    try:
        with file.open("rb") as lines, progress(session, "importing") as report:
            imported = import_log(lines, config.log, config.log_path, report)
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            f"{file} cannot be read: {error}", field="file", value=str(file)
        ) from None
    _report(session, "Imported", imported.events, imported.head, file)


# -- stats ---------------------------------------------------------------------------------------
@command("log stats", examples=["log stats", "log stats --log copy.db --json"])
def stats(
    session: Session,
    largest: Annotated[
        int, typer.Option("--largest", min=0, max=1000, help="How many of the largest streams.")
    ] = 10,
    log: LogOption = None,
) -> None:
    """Show how the log grew: events by kind and by day, and the streams with the most events."""
    from share_actors.audit.statistics import statistics

    with opened(session, log) as reader, progress(session, "counting") as report:
        found = statistics(reader, largest, report)
    document: dict[str, Any] = found.model_dump(mode="json")
    if session.json:
        session.output.print_json(document)
        return
    output = session.output
    fields = ("events", "head", "file_bytes", "unreadable")
    shown = {name: document[name] for name in fields}
    output.print_fields({**shown, "first": found.first, "last": found.last})
    output.print_section(("KIND", "EVENTS"), list(found.by_kind.items()))
    output.print_section(
        ("DAY", "EVENTS", "BYTES"), [(d.day, d.events, d.bytes) for d in found.by_day]
    )
    rows = [(large.stream, large.events) for large in found.largest_streams]
    output.print_section(("STREAM", "EVENTS"), rows)
