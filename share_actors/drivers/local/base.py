"""Options, layout and locking that all parts of the driver `local` use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import Field, field_validator

from share_actors.drivers.base import DriverError, DriverOptions, ShareDriver
from share_actors.drivers.filesystem import acl
from share_actors.drivers.filesystem.copying import copy_tree, logged
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.filesystem.locks import Lock
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.filesystem.tree import Sizes, measure
from share_actors.drivers.local.layout import Area, Layout

GIB = 1024**3


class LocalOptions(DriverOptions):
    """Options of the driver `local`."""

    root: Path
    """An absolute path, created if it is missing. Users of shares need execute permission on its parents."""
    require_mount: bool = False
    """Refuse to work unless a filesystem is mounted at `root`: a missing mount would look empty."""
    reserved_percentage: Annotated[float, Field(ge=0, le=100)] = 0.0
    max_over_subscription_ratio: Annotated[float, Field(ge=1)] = 20.0
    """How far the sizes of all shares may exceed the capacity: directories only take up their content."""

    @field_validator("root")
    @classmethod
    def _absolute(cls, root: Path) -> Path:
        if not root.is_absolute() or ".." in root.parts:
            raise ValueError("must be an absolute path without '..'")
        return root


class LocalBase(ShareDriver):
    """The root of a `local` backend, with one lock for each share."""

    Options = LocalOptions

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._options = cast(LocalOptions, self.configuration)
        self._layout = Layout(self._options.root)

    def progress(self, what: str, done: int, total: int) -> None:
        """Override to follow copies: copied and total bytes, after each file and each large chunk."""

    @contextmanager
    def _share_lock(
        self, operation: str, share_id: str, *, must_exist: bool = False
    ) -> Iterator[Lock]:
        """Lock the share: the thread of an abandoned attempt may still be running."""
        checked_id("share", share_id)
        with os_errors(f"{operation} {share_id}"), self._layout.lock(share_id) as lock:
            try:
                if must_exist:
                    self._must_exist("shares", share_id)
                yield lock
            finally:
                if not self._layout.exists("shares", share_id):
                    lock.discard()

    def _must_exist(self, area: Area, name: str) -> None:
        if not self._layout.exists(area, name):
            raise DriverError(f"{self._layout.path(area, name)} does not exist")

    def _copy(self, source: Area, name: str, target: Area, new_name: str) -> None:
        self._must_exist(source, name)
        with (
            self._layout.folder(source, name) as original,
            self._layout.appearing(target, new_name) as copy,
        ):
            operation = f"copy of {name} to {new_name}"
            copy_tree(original, copy, logged(operation, partial(self.progress, operation)))
            if target == "shares":
                acl.set_grants(copy, {})

    def _measure_share(self, share_id: str) -> Sizes:
        with self._layout.folder("shares", share_id) as fd:
            return measure(fd)
