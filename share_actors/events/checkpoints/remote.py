"""Checkpoints in a store that fsspec reaches, such as `s3://BUCKET/PATH`; fsspec is an optional package.

The files are those of `CheckpointDirectory`, except that the history is one object for each checkpoint, since
such stores do not append: `history/SIZE.json`.

What is promised: each object is written whole or not at all where the store has atomic writes (object stores;
local files by a rename), and in an order in which every object that a checkpoint needs is there before it. A
reader sees the old checkpoint or the new one. There is no lock: one writer at a time is the system that holds
the lease of the log. Two writers of one log cannot lead to a wrong tree, only to an older newest checkpoint,
which the next one corrects; so incomplete bundles stay until their bundle is complete.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from share_actors.errors import ConfigError
from share_actors.events.checkpoints.directory import (
    BUNDLE,
    CheckpointDirectory,
    bundle_names,
    directory_error,
)
from share_actors.events.log.infrastructure import require
from share_actors.redaction import without_url_passwords


class CheckpointStore(CheckpointDirectory):
    """The objects below *url*; raises `ConfigError` if no installed package reaches it."""

    def __init__(self, url: str) -> None:
        self._url = url
        require("fsspec", "remote-checkpoints", "audit.checkpoints is a URL")
        import fsspec  # noqa: PLC0415 - an optional package

        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ConfigError(
                f"audit.checkpoints {self.where}: no installed package reaches it: {error}",
                field="audit.checkpoints",
                value=self.where,
            ) from None

    @property
    def where(self) -> str:
        """See `CheckpointDirectory.where`."""
        return without_url_passwords(self._url)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Turn what the store raises into `LogError`; there is no lock."""
        try:
            yield
        except OSError as error:
            raise directory_error(self.where, str(error)) from None

    def read(self, name: str) -> bytes:
        """See `CheckpointDirectory.read`; any error of the store's package becomes an `OSError`."""
        try:
            content: bytes = self._files.cat_file(self._path(name))
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{name} cannot be read: {type(error).__name__}: {error}") from error
        return content

    def history(self) -> Iterator[str]:
        """See `CheckpointDirectory.history`."""
        for name in self._list("history"):
            try:
                yield str(json.loads(self.read(f"history/{name}"))["note"])
            except (ValueError, KeyError, TypeError):
                continue

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _list(self, directory: str) -> list[str]:
        """The names of the objects below *directory*, sorted; none if there is none."""
        self._files.invalidate_cache()
        try:
            found: list[Any] = self._files.ls(self._path(directory), detail=False)
        except FileNotFoundError:
            return []
        except OSError:
            raise
        except Exception as error:
            text = f"{directory} cannot be listed: {type(error).__name__}: {error}"
            raise OSError(text) from error
        return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found)

    def _longer(self, full: str, count: int) -> list[str]:
        names = self._list(f"{full}.p")
        return [f"{full}.p/{name}" for name in names if name.isdigit() and int(name) > count]

    def _write(self, name: str, content: bytes) -> None:
        path = self._path(name)
        is_local = "file" in self._protocols()
        try:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            with self._files.transaction if is_local else nullcontext():
                self._files.pipe_file(path, content)
        except OSError:
            raise
        except Exception as error:
            text = f"{name} cannot be written: {type(error).__name__}: {error}"
            raise OSError(text) from error

    def _protocols(self) -> tuple[str, ...]:
        protocol = self._files.protocol
        return (protocol,) if isinstance(protocol, str) else tuple(protocol)

    def _add_to_history(self, size: int, line: str) -> None:
        self._write(f"history/{size:020d}.json", line.encode())

    def _drop_incomplete(self, before: int, size: int) -> None:
        """Drop what the complete bundles replace; those of the present one may be another writer's."""
        number = size // BUNDLE
        for complete in {n for n in (before // BUNDLE, number - 1) if 0 <= n < number}:
            full, _ = bundle_names(complete, BUNDLE)
            for name in self._list(f"{full}.p"):
                self._files.rm_file(self._path(f"{full}.p/{name}"))


def open_checkpoints(where: Path | str) -> CheckpointDirectory:
    """The checkpoints in a directory, or below a URL; raises `ConfigError` if nothing reaches it."""
    return CheckpointStore(where) if isinstance(where, str) else CheckpointDirectory(where)
