"""Options, layout and locking that all parts of the driver `local` use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import Field, field_validator

from share_actors.drivers.base import (
    CALLS_ON_THIS_MACHINE,
    DriverError,
    DriverOptions,
    ShareDriver,
)
from share_actors.drivers.fence import Fence, Fences, check_deadline
from share_actors.drivers.filesystem.acl import Grants
from share_actors.drivers.filesystem.copying import copy_tree, logged
from share_actors.drivers.filesystem.granting import logged_walk, set_grants
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.drivers.filesystem.reach import root_warnings
from share_actors.drivers.filesystem.tree import Sizes, measure
from share_actors.drivers.local.layout import Area, Layout
from share_actors.drivers.requirements import Requirement, directory_requirements
from share_actors.values import RequestContext

GIB = 1024**3
NO_CONTEXT = RequestContext()
"""The context of the methods that have no context parameter, or change nothing."""


class LocalOptions(DriverOptions):
    """Options of the driver `local`."""

    root: Path
    """An absolute path, created if it is missing. Users of shares need execute permission on its parents."""
    require_mount: bool = False
    """Refuse to work unless a filesystem is mounted at `root`: a missing mount would look empty."""
    reserved_percentage: Annotated[float, Field(ge=0, le=100)] = 0.0
    max_over_subscription_ratio: Annotated[float, Field(ge=1, le=1_000_000)] = 20.0
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
    calls_at_once = CALLS_ON_THIS_MACHINE

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._options = cast(LocalOptions, self.configuration)
        self._layout = Layout(self._options.root)
        self._fences = Fences(self._options.root / "meta")

    @property
    def refuses_late_calls(self) -> bool:
        """True: see `drivers.fence`."""
        return True

    def exclusive_directories(self) -> dict[str, Path]:
        """The root: another system would take its shares for lost or leftover ones."""
        return {"root": self._options.root}

    def requirements(self) -> Sequence[Requirement]:
        """Free space and POSIX ACLs at the root (`abilities.StatesRequirements`)."""
        return directory_requirements(self._options.root)

    def setup_warnings(self) -> tuple[str, ...]:
        """A directory at or above the root that users in general cannot pass through."""
        return root_warnings(self.backend_name, self._options.root)

    def progress(self, what: str, done: int, total: int) -> None:
        """Override to follow copies: copied and total bytes, after each file and each large chunk."""

    @contextmanager
    def _share_lock(
        self,
        operation: str,
        share_id: str,
        context: RequestContext = NO_CONTEXT,
        *,
        must_exist: bool = False,
    ) -> Iterator[Fence]:
        """Lock the share: the thread of an abandoned attempt may still be running.

        Yields the fence to check before each change. Raises `Overtaken` if a later attempt has begun.
        """
        checked_id("share", share_id)
        with (
            os_errors(f"{operation} {share_id}"),
            self._fences.enter(share_id, context) as fence,
            self._layout.lock(share_id) as lock,
        ):
            try:
                fence.check()
                if must_exist:
                    self._must_exist("shares", share_id)
                yield fence
            finally:
                if not self._layout.exists("shares", share_id):
                    lock.discard()

    def _must_exist(self, area: Area, name: str) -> None:
        if not self._layout.exists(area, name):
            raise DriverError(f"{self._layout.path(area, name)} does not exist")

    def _copy(self, source: Area, name: str, target: Area, new_name: str, fence: Fence) -> None:
        self._must_exist(source, name)

        def progress(done: int, total: int) -> None:
            fence.check()
            check_deadline(operation)
            self.progress(operation, done, total)

        operation = f"copy of {name} to {new_name}"
        with (
            self._layout.folder(source, name) as original,
            self._layout.appearing(target, new_name) as copy,
        ):
            copy_tree(original, copy, logged(operation, progress))
            if target == "shares":
                set_grants(copy, {}, fence.check, is_private=True)
            fence.check()

    def _set_grants(self, share_id: str, directory: int, grants: Grants, fence: Fence) -> None:
        """Make *grants* the only access to the share, whose *directory* is open."""
        record = self._layout.applied_rules(share_id)
        report = logged_walk(f"access rules of share {share_id}")
        set_grants(directory, grants, fence.check, record, report)

    def _measure_share(self, share_id: str) -> Sizes:
        with self._layout.folder("shares", share_id) as fd:
            return measure(fd)
