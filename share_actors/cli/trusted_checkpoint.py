"""The checkpoint that a command trusts: where it is, what it says, and whose key has signed it."""

# ruff: noqa: PLC0415 - the log is imported by the commands that need it
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest

if TYPE_CHECKING:
    from share_actors.config import Config
    from share_actors.events.checkpoints.check_bundle import Checkpoint, PublicKey
    from share_actors.events.checkpoints.directory import CheckpointDirectory

CheckpointFile = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE|URL",
        help="Signed checkpoint. Default: the newest configured one.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option("--key", help="Public key, or a file with it. Default: the configured key's."),
]


class Trusted(NamedTuple):
    """A checkpoint whose signature was verified, its key, and where that came from."""

    note: str
    checkpoint: Checkpoint
    key: PublicKey
    directory: CheckpointDirectory
    own_key: bool
    """The key was given or configured, not taken from beside the checkpoint."""


def trusted_checkpoint(
    session: Session, file: str | None, key: str | None, *, required: bool
) -> Trusted | None:
    """The checkpoint *file*, or the newest configured one; None if there is none.

    Raises `InvalidRequest` if it cannot be read, or if *key* has not signed it.
    """
    found = _place_of(session.config, file, required=required)
    if found is None:
        return None
    directory, name = found
    public, own_key = public_key_of(session.config, directory, key)
    note, checkpoint = parsed_checkpoint(directory, name, public)
    return Trusted(note, checkpoint, public, directory, own_key)


def _place_of(
    config: Config, file: str | None, *, required: bool
) -> tuple[CheckpointDirectory, str] | None:
    """The directory and the name of the checkpoint; raises `InvalidRequest` if there is none."""
    from share_actors.events.checkpoints.remote import open_checkpoints

    if file is not None:
        return checkpoint_place(file)
    if config.audit.checkpoints is not None:
        directory = open_checkpoints(config.audit.checkpoints)
        if required or _exists(directory):
            return directory, "checkpoint"
    if required:
        text = "there is no checkpoint: set audit.checkpoints, or name one by --checkpoint"
        raise InvalidRequest(text, field="checkpoint")
    return None


def checkpoint_place(file: str) -> tuple[CheckpointDirectory, str]:
    """The directory and the name of the checkpoint *file*, a path or a URL; raises `InvalidRequest`."""
    from share_actors.events.checkpoints.directory import CheckpointDirectory
    from share_actors.events.checkpoints.remote import open_checkpoints

    if "\0" in file:
        text = f"--checkpoint: {file!r} is not a file or URL"
        raise InvalidRequest(text, field="checkpoint", value=file)
    if "://" in file:
        url, _, name = file.rpartition("/")
        return open_checkpoints(url), name
    return CheckpointDirectory(Path(file).parent), Path(file).name


def _exists(directory: CheckpointDirectory) -> bool:
    try:
        return directory.newest() is not None
    except OSError as error:
        text = f"checkpoint {directory.where}/checkpoint: {reason_of(error)}; nothing was verified"
        raise InvalidRequest(text, field="checkpoint", value=directory.where) from None


def public_key_of(
    config: Config, beside: CheckpointDirectory, key: str | None
) -> tuple[PublicKey, bool]:
    """The public key, and whether it is from another place than the checkpoint."""
    from share_actors.events.checkpoints.check_bundle import BadProof, PublicKey
    from share_actors.events.checkpoints.keys import SigningKey

    if key is None and config.audit_signer_file.exists():
        return SigningKey.load(config.audit_signer_file, config.audit_origin).public, True
    source = f"{beside.where}/public.key" if key is None else key
    try:
        return PublicKey.parse(
            beside.read("public.key").decode() if key is None else key_text(key)
        ), (key is not None)
    except (OSError, UnicodeError, BadProof) as error:
        message = f"--key {source}: {reason_of(error)}; nothing was verified"
        raise InvalidRequest(message, field="key", value=source) from None


def key_text(key: str) -> str:
    """The key, or the content of the file that it names."""
    is_file = Path(key).is_file() or "+" not in key
    return Path(key).read_text(encoding="utf-8") if is_file else key


def parsed_checkpoint(
    directory: CheckpointDirectory, name: str, key: PublicKey
) -> tuple[str, Checkpoint]:
    """The text and the content of a checkpoint; raises `InvalidRequest` if *key* has not signed it."""
    from share_actors.events.checkpoints.check_bundle import BadProof, Checkpoint

    try:
        note = directory.read(name).decode()
        return note, Checkpoint.parse(note, key)
    except (OSError, UnicodeError, BadProof) as error:
        where = f"{directory.where}/{name}"
        message = f"checkpoint {where}: {reason_of(error)}; nothing was verified"
        raise InvalidRequest(message, field="checkpoint", value=where) from None


def reason_of(error: Exception) -> str:
    """What was wrong, without the number and the path of an `OSError`."""
    return str((error.strerror if isinstance(error, OSError) else None) or error)
