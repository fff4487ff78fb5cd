"""State and faults that all parts of the driver `dummy` use."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from share_actors.drivers.base import ShareDriver
from share_actors.drivers.dummy.backend import DummyBackend
from share_actors.drivers.dummy.faults import DummyOptions, Faults
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

    def get_pool(self, share: Share) -> str:
        """The pool in the share's host; by default the pool named after the backend."""
        return share.host.partition("#")[2] or self.backend_name
