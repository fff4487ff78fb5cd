"""The driver `acme`. A method that is called again must do the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from share_actors.drivers import BackendObject, DriverError, ProbeResult, ShareDriver
from share_actors.drivers.fence import Fences
from share_actors.drivers.filesystem.os_errors import os_errors
from share_actors.values import AccessRule, ExportLocation, RequestContext, Share

from share_actors_acme.options import AcmeOptions
from share_actors_acme.storage import Access, Record, Storage


class AcmeDriver(ShareDriver):
    """Shares are directories below the option `root`."""

    Options = AcmeOptions
    protocols = ("NFS",)
    access_types = ("ip", "user")
    configuration: AcmeOptions

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._storage = Storage(self.configuration.root)
        self._fences = Fences(self._storage.fences)

    @property
    def refuses_late_calls(self) -> bool:
        """Yes: the number of the last attempt on each share is stored beside it."""
        return True

    # -- the backend ---------------------------------------------------------------------------
    def do_setup(self, context: RequestContext) -> None:
        """Create the directories."""
        with os_errors("set up the storage"):
            self._storage.prepare()

    def exclusive_directories(self) -> dict[str, Path]:
        """Two backends, or two systems, must not use the same directory."""
        return {"root": self.configuration.root}

    def get_share_stats(self, refresh: bool = False) -> dict[str, Any]:
        """The capacity of the filesystem; the class says the rest."""
        with os_errors("measure the storage"):
            disk = shutil.disk_usage(self.configuration.root)
            sizes = sum(record.size for record in self._storage.all())
        return {
            "total_capacity_gib": disk.total / 2**30,
            "free_capacity_gib": disk.free / 2**30,
            "allocated_capacity_gib": sizes,
            "reserved_percentage": self.configuration.reserved_percentage,
        }

    # -- shares --------------------------------------------------------------------------------
    def create_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> list[ExportLocation]:
        """Create the share unless it exists."""
        with self._changing(context, share):
            self._storage.create(share.id, share.size)
        return self._exports(share.id)

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        """Delete the share, if there is anything of it."""
        with self._changing(context, share):
            self._storage.delete(share.id)

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        """Record the new size, which the storage does not enforce."""
        with self._changing(context, share):
            record = self._existing(share)
            self._storage.store(record.model_copy(update={"size": new_size}))

    def ensure_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> list[ExportLocation]:
        """The export locations, after a restart or a change of the configuration."""
        with self._changing(context, share):
            self._existing(share)
        return self._exports(share.id)

    # -- access --------------------------------------------------------------------------------
    def update_access(
        self,
        context: RequestContext,
        share: Share,
        access_rules: Sequence[AccessRule],
        add_rules: Sequence[AccessRule],
        delete_rules: Sequence[AccessRule],
        update_rules: Sequence[AccessRule] = (),
        share_server: Any = None,
    ) -> dict[str, str]:
        """Apply exactly *access_rules*; returns those that cannot be applied, with the reason."""
        with self._changing(context, share):
            failed = {rule.id: reason for rule in access_rules if (reason := self._refusal(rule))}
            access = sorted({_access(rule) for rule in access_rules if rule.id not in failed})
            record = self._storage.find(share.id)
            if record is None and access:
                raise DriverError(f"share {share.id} does not exist")
            if record is not None:
                self._storage.store(record.model_copy(update={"access": tuple(access)}))
        return failed

    def _refusal(self, rule: AccessRule) -> str | None:
        if rule.access_type in self.access_types:
            return None
        return f"access_type {rule.access_type!r} is not supported"

    # -- what exists ---------------------------------------------------------------------------
    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult:
        """What there is of the share; changes nothing."""
        with os_errors(f"examine share {share.id}"):
            record = self._storage.find(share.id)
            begun = self._storage.is_begun(share.id)
        if record is None:
            return ProbeResult(state="partial" if begun else "absent", access=frozenset())
        return ProbeResult(
            state="whole",
            export_locations=self._exports(share.id),
            size=record.size,
            access=frozenset(record.access),
        )

    def list_backend(self, context: RequestContext) -> list[BackendObject]:
        """Every share, also those that this system did not create."""
        with os_errors("list the storage"):
            return [self._listed(record) for record in self._storage.all()]

    def _listed(self, record: Record) -> BackendObject:
        (export,) = self._exports(record.id)
        return BackendObject(
            kind="share",
            id=record.id,
            location=export.path,
            size=record.size,
            export_paths=(export.path,),
            access=frozenset(record.access),
        )

    # ------------------------------------------------------------------------------------------
    def _exports(self, share_id: str) -> list[ExportLocation]:
        return [ExportLocation(path=str(self._storage.path(share_id)), preferred=True)]

    def _existing(self, share: Share) -> Record:
        record = self._storage.find(share.id)
        if record is None:
            raise DriverError(f"share {share.id} does not exist")
        return record

    @contextmanager
    def _changing(self, context: RequestContext, share: Share) -> Iterator[None]:
        """Let one call at a time change the share, and none that a later one has overtaken."""
        with (
            os_errors(f"change share {share.id}"),
            self._fences.enter(share.id, context) as fence,
            self._storage.locked(share.id),
            fence.changing(),
        ):
            yield


def _access(rule: AccessRule) -> Access:
    return (rule.access_type, rule.access_to, rule.access_level)
