"""`share-actors log verify`, `checkpoint` and `prove`: what was changed in the log, and proofs."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from share_actors.cli.command import command
from share_actors.cli.commands.log.reading import LogOption, advised
from share_actors.cli.exit_codes import DIFFERS
from share_actors.cli.output import count, escape
from share_actors.cli.session import Session
from share_actors.cli.trusted_checkpoint import (
    CheckpointFile,
    Key,
    Trusted,
    checkpoint_place,
    parsed_checkpoint,
    public_key_of,
    reason_of,
    trusted_checkpoint,
)
from share_actors.errors import InvalidRequest

if TYPE_CHECKING:
    from share_actors.audit.proofs import Report
    from share_actors.config import Config, LogSettings
    from share_actors.events.checkpoints.check_bundle import PublicKey
    from share_actors.events.envelope import Recorded
    from share_actors.events.log import Notification
    from share_actors.events.log.rows import ReadRows

MAX_SHOWN = 10
FOREIGN_KEY = "whose key it is: it was taken {}; give yours by --key"


# -- verify --------------------------------------------------------------------------------------
@command(
    "log verify",
    examples=[
        "log verify",
        "log verify --log copy.db --checkpoint /mnt/audit/checkpoint --key public.key",
    ],
)
def verify(
    session: Session, log: LogOption = None, checkpoint: CheckpointFile = None, key: Key = None
) -> None:
    """Verify a log against a checkpoint, or an archive: find edited, removed and inserted events.

    Reads the whole log and changes nothing. No system has to be running, and the key of an encrypted log is
    not needed. Without a checkpoint only missing versions of a stream are found, and missing positions of a
    SQLite log. Exit code 14 if something was found. An archive (--log) contains its checkpoint.
    """
    from share_actors.events.checkpoints.check_archive import is_archive

    if log is not None and "\0" not in log and is_archive(Path(log)):
        _verify_archive(session, Path(log), key)
        return
    trusted = trusted_checkpoint(session, checkpoint, key, required=False)
    with _open(session, log) as (read, settings), session.output.spinner("reading the log"):
        report = _report(read, settings, trusted)
    sentences = _verified(report, trusted)
    if session.json:
        session.output.print_json({**report.document(), **sentences})
    else:
        _print(session, report, sentences)
    if not report.ok:
        raise typer.Exit(DIFFERS)


def _verify_archive(session: Session, path: Path, key: str | None) -> None:
    from share_actors.events.checkpoints.check_archive import read_archive, text_of
    from share_actors.events.checkpoints.check_bundle import BadProof

    public, own_key = _archive_key(session.config, path, key)
    try:
        found = read_archive(path, public)
    except (OSError, BadProof) as error:
        document = {"ok": False, "problem": reason_of(error)}
        text = f"The archive {path} proves nothing: {reason_of(error)}."
    else:
        facts = {**found._asdict(), "checkpoint": found.checkpoint.size}
        signer = f"{public.name}+{public.id.hex()}"
        document = {"ok": True, "key": signer, "own_key": own_key, **facts}
        text = f"Verified: {text_of(found)}, signed by {signer}."
    if session.json:
        session.output.print_json(document)
    else:
        session.output.print(escape(text))
        if not own_key:
            session.output.print(f"Not verified: {FOREIGN_KEY.format('from the archive')}.")
    if not document["ok"]:
        raise typer.Exit(DIFFERS)


def _archive_key(config: Config, path: Path, key: str | None) -> tuple[PublicKey, bool]:
    """The public key: that of the option or the configuration, or else the one in the archive."""
    from share_actors.events.checkpoints.check_archive import header_of, lines_of
    from share_actors.events.checkpoints.check_bundle import BadProof, PublicKey
    from share_actors.events.checkpoints.directory import CheckpointDirectory

    if key is not None or config.audit_signer_file.exists():
        return public_key_of(config, CheckpointDirectory(path.parent), key)
    try:
        return PublicKey.parse(str(header_of(lines_of(path)).get("public_key"))), False
    except (OSError, BadProof) as error:
        message = f"archive {path}: {reason_of(error)}; nothing was verified"
        raise InvalidRequest(message, field="log", value=str(path)) from None


def _report(read: ReadRows, settings: LogSettings, trusted: Trusted | None) -> Report:
    from share_actors.audit import proofs
    from share_actors.events.log.rows import rows_in_order

    options: dict[str, Any] = {
        "contiguous": settings.kind == "sqlite",
        "decode": _decoder(settings),
    }
    if trusted is None:
        return proofs.verify(rows_in_order(read), **options)
    leaves = trusted.directory.leaves(trusted.checkpoint.size)
    return proofs.verify(rows_in_order(read), trusted.checkpoint, leaves, **options)


def _decoder(settings: LogSettings) -> Callable[[Notification], Recorded]:
    """Reads events with the key of *settings*; raises `LogError` for those of another key."""
    from share_actors.events.log.infrastructure import codec_of

    codec = codec_of(settings)
    return lambda row: codec.decode_row(row.stream, row.version, row.topic, row.state, row.position)


def _verified(report: Report, trusted: Trusted | None) -> dict[str, list[str]]:
    """Sentences: what was `verified`, and what was `not_verified`."""
    verified, missing = [], list[str]()
    kinds = {finding.kind for finding in report.findings}
    if not kinds & {"version_gap", "reordered"}:
        verified.append(f"no version is missing within {count(report.streams, 'stream')}")
    if trusted is None:
        missing.append("edited events and removed ends and streams: there is no checkpoint")
        return {"verified": verified, "not_verified": missing}
    text = f"the checkpoint of {count(trusted.checkpoint.size, 'event')} is signed"
    verified.append(f"{text} by {trusted.key.name}+{trusted.key.id.hex()}")
    if report.covered:
        verified.append(f"the first {count(report.covered, 'event')} are those of the checkpoint")
    if report.ok and report.uncovered:
        missing.append(
            f"the last {count(report.uncovered, 'event')}: they are after the checkpoint"
        )
    if not trusted.own_key:
        missing.append(FOREIGN_KEY.format("from beside the checkpoint"))
    return {"verified": verified, "not_verified": [*missing, *report.notes]}


def _print(session: Session, report: Report, sentences: dict[str, list[str]]) -> None:
    output = session.output
    rows = [(f.position, f.kind, f.share, f.text) for f in report.findings[:MAX_SHOWN]]
    if rows:
        output.print_table(("POSITION", "KIND", "SHARE", "WHAT"), rows)
        more = max(report.differences, len(report.findings)) - len(rows)
        if more > 0:
            output.print(f"... and {more} more.")
        output.print(_agreement(report))
    for text in sentences["verified"]:
        output.print(f"Verified: {escape(text)}.")
    for text in sentences["not_verified"]:
        output.print(f"Not verified: {escape(text)}.")
    result = "was changed" if rows else "shows no change"
    output.print(f"The log of {count(report.events, 'event')} {result}.")


def _agreement(report: Report) -> str:
    if not report.differences:
        return ""
    if report.agreeing == 0:
        return "No event agrees with the checkpoint: it may be of another log."
    where = f"forked at position {report.findings[0].position}"
    return (
        f"{count(report.agreeing, 'event')} before that agree with the checkpoint. If the log and the"
        f" checkpoint are of two systems with one past, they {where}."
    )


# -- checkpoint ----------------------------------------------------------------------------------
@command("log checkpoint", examples=["log checkpoint"])
def checkpoint(session: Session, log: LogOption = None) -> None:
    """Write a signed checkpoint of the log to `audit.checkpoints` now, and print it.

    A running system does so every `audit.every_s` seconds. No system has to be running.
    """
    from share_actors.events.checkpoints.writer import CheckpointWriter

    writer = CheckpointWriter.configured(session.config)
    with _open(session, log) as (read, _), session.output.spinner("reading the log"):
        writer.write_all(read)
    note, public = writer.directory.newest(), writer.key.public_text
    if session.json:
        session.output.print_json({"checkpoint": note, "public_key": public})
        return
    session.output.print(escape_lines(note or "The log is empty: there is nothing to sign."))
    session.output.print_message(f"Public key: {escape(public)}")


def escape_lines(text: str) -> str:
    """*text* as markup, line by line."""
    return "\n".join(map(escape, text.rstrip("\n").split("\n")))


# -- prove ---------------------------------------------------------------------------------------
@command(
    "log prove",
    examples=["log prove 42 > event.json", "log prove --from old-checkpoint > growth.json"],
)
def prove(
    session: Session,
    position: Annotated[
        int | None, typer.Argument(help="Prove that the event at this position is in the log.")
    ] = None,
    old: Annotated[
        Path | None,
        typer.Option("--from", help="Prove that the log begins with that of this checkpoint."),
    ] = None,
    log: LogOption = None,
    checkpoint: CheckpointFile = None,
    key: Key = None,
) -> None:
    """Print a proof as JSON: of one event, or that the log has only grown since an older checkpoint.

    `check_bundle.py` checks it on any machine, without the log and without this program.
    """
    from share_actors.audit import proofs

    if (position is None) == (old is None):
        text = "name either a POSITION or an older checkpoint by --from"
        raise InvalidRequest(text, field="position", value=position)
    trusted = trusted_checkpoint(session, checkpoint, key, required=True)
    assert trusted is not None
    with _open(session, log) as (read, _):
        if old is None:
            assert position is not None
            bundle = proofs.prove_event(read, position, trusted.note, trusted.key)
        else:
            earlier = parsed_checkpoint(*checkpoint_place(str(old)), trusted.key)[0]
            bundle = proofs.prove_growth(read, earlier, trusted.note, trusted.key)
    session.output.print_json(bundle)


# -- inside --------------------------------------------------------------------------------------
@contextmanager
def _open(session: Session, log: str | None) -> Iterator[tuple[ReadRows, LogSettings]]:
    from share_actors.audit.reading.reader_source import open_rows

    settings, path = session.config.log, session.config.log_path
    with advised(log):
        if log is not None:
            settings, path = settings_named(log, settings), Path(log)
        with open_rows(settings, path, named=log is not None) as read:
            yield read, settings


def settings_named(log: str, settings: LogSettings, option: str = "--log") -> LogSettings:
    """The settings of the log that *option* names; raises `InvalidRequest`."""
    if not log or "\0" in log:
        field = option.removeprefix("--")
        raise InvalidRequest(f"{option}: {log!r} is not a file or URL", field=field, value=log)
    if "://" in log:
        from share_actors.audit.reading.postgres_url import settings_of
        from share_actors.events.log.infrastructure import check_packages

        named = settings_of(log, settings)
        check_packages(named)
        return named
    return settings.model_copy(update={"kind": "sqlite", "path": Path(log)})
