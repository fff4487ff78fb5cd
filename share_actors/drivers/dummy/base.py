"""State and faults that all parts of the driver `dummy` use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, ClassVar, cast

from share_actors.drivers.base import ShareDriver
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.drivers.dummy.daemon import DummyDaemon
from share_actors.drivers.dummy.faults import DummyOptions, Faults, Method, end
from share_actors.drivers.fence import Fences
from share_actors.drivers.filesystem.ids import checked_id
from share_actors.drivers.requirements import Requirement, directory_requirements
from share_actors.values import RequestContext, Share

NO_CONTEXT = RequestContext()
"""The context of the methods that have no context parameter."""


class DummyBase(ShareDriver):
    """A dummy backend with its options and faults."""

    Options = DummyOptions
    access_types: ClassVar[tuple[str, ...]] = ("ip", "user", "cert", "cephx")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        options = self._options = cast(DummyOptions, self.configuration)
        self._backend = None if options.directory is None else DummyBackend(options.directory)
        self._faults = Faults(options, self._backend)
        self._daemon: DummyDaemon | None = None
        if options.daemon and self._backend is not None:
            self._daemon = daemon = DummyDaemon(self._backend, self._faults)
            self.start_backend, self.stop_backend = daemon.start_backend, daemon.stop_backend
            self.check_health = daemon.check_health
        directory = options.directory
        # Not synced, like the rest of the state.
        self._fences = None if directory is None else Fences(directory / "fences", durable=False)

    @property
    def refuses_late_calls(self) -> bool:
        """Whether the backend has a `directory`; see `drivers.fence`."""
        return self._fences is not None

    def exclusive_directories(self) -> dict[str, Path]:
        """The `directory` with the state, if the option is set."""
        directory = self._options.directory
        return {} if directory is None else {"directory": directory}

    def requirements(self) -> Sequence[Requirement]:
        """Free space at the `directory`; nothing if the state is in memory."""
        directory = self._options.directory
        return () if directory is None else directory_requirements(directory, acls=False)

    @contextmanager
    def _changing(
        self, method: Method, context: RequestContext, name: str, snapshot_id: str = ""
    ) -> Iterator[None]:
        """Apply the faults of a call, then let the block change the backend, unless overtaken meanwhile.

        *name*: the id of the share or share server. Raises `Overtaken`.
        """
        with ExitStack() as stack:
            fence = None
            if self._fences is not None:
                fence = stack.enter_context(self._fences.enter(checked_id("share", name), context))
            exits = self._begin(method, context, name, snapshot_id)
            with nullcontext() if fence is None else fence.changing():
                yield
        end(exits)

    def _begin(
        self, method: Method, context: RequestContext, share_id: str, snapshot_id: str = ""
    ) -> bool:
        """As `Faults.begin`; raises `NotStarted` if there is a daemon that does not run."""
        if self._daemon is not None:
            self._daemon.check_started()
        return self._faults.begin(method, context, share_id, snapshot_id)

    def get_pool(self, share: Share) -> str:
        """The pool in the share's host; by default the pool named after the backend."""
        return share.host.partition("#")[2] or self.backend_name
