"""The backend of the simulation: each call works in steps, and the process may die between any two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from share_actors.drivers.base import DriverError, ProbeResult, ShareDriver
from share_actors.drivers.fence import current_attempt
from share_actors.values import AccessRule, ExportLocation, RequestContext, Share, Snapshot

Step = Callable[[str], None]


class Storage:
    """The objects on the backend by serial number; it allows two objects for one share."""

    def __init__(self) -> None:
        self.objects: dict[int, dict[str, Any]] = {}
        self.fences: dict[str, int] = {}
        self.overtaken = 0
        """The number of calls refused because a later attempt had begun."""
        self.dropped_with_rules = 0
        """How many snapshots were deleted while clients could read them."""
        self._serial = 0

    def of(self, kind: str, tag: str) -> dict[str, Any] | None:
        found = (o for o in self.objects.values() if (o["kind"], o["tag"]) == (kind, tag))
        return next(found, None)

    def add(self, kind: str, tag: str, **fields: Any) -> dict[str, Any]:
        self._serial += 1
        made = {"kind": kind, "tag": tag, "serial": self._serial, "whole": False, **fields}
        self.objects[self._serial] = made
        return made

    def drop(self, held: dict[str, Any]) -> None:
        del self.objects[held["serial"]]

    def enter(self, context: RequestContext, share_id: str) -> None:
        """Raise `DriverError` if a later attempt has begun."""
        if context.fence < self.fences.get(share_id, 0):
            self.overtaken += 1
            raise DriverError("overtaken by a later attempt")
        self.fences[share_id] = context.fence


class SteppingDriver(ShareDriver):
    """A driver whose methods work in steps; a repeated call continues where the last one stopped."""

    access_types = ("user",)

    def __init__(self, storage: Storage, step: Step) -> None:
        super().__init__(backend_name="sim")
        self.storage, self._step = storage, step

    def create_share(self, context: RequestContext, share: Share, share_server: Any = None) -> Any:
        return self._made(context, share, None)

    def create_share_from_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> Any:
        return self._made(context, share, snapshot.id)

    def _made(self, context: RequestContext, share: Share, source: str | None) -> Any:
        self.storage.enter(context, share.id)
        held = self.storage.of("share", share.id)
        if held is None:
            held = self.storage.add("share", share.id, size=share.size, rules=set(), source=source)
        self._step("allocated")
        held["whole"] = True
        self._step("exported")
        return [ExportLocation(path=f"sim:/{share.id}")]

    def delete_share(self, context: RequestContext, share: Share, share_server: Any = None) -> None:
        self.storage.enter(context, share.id)
        held = self.storage.of("share", share.id)
        if held is not None:
            held["whole"] = False
            self._step("unexported")
            self.storage.drop(held)
        self._step("freed")

    def extend_share(
        self, context: RequestContext, share: Share, new_size: int, share_server: Any = None
    ) -> None:
        self.storage.enter(context, share.id)
        self._held(share.id)["size"] = new_size
        self._step("resized")

    shrink_share = extend_share

    def create_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> str:
        self.storage.enter(context, snapshot.share_id)
        self._held(snapshot.share_id)
        held = self.storage.of("snapshot", snapshot.id)
        if held is None:
            held = self.storage.add("snapshot", snapshot.id, share=snapshot.share_id, rules=set())
        self._step("snapshot begun")
        held["whole"] = True
        self._step("snapshot taken")
        return f"sim:/{snapshot.share_id}@{snapshot.id}"

    def delete_snapshot(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> None:
        self.storage.enter(context, snapshot.share_id)
        held = self.storage.of("snapshot", snapshot.id)
        if held is not None:
            self.storage.dropped_with_rules += bool(held["rules"])
            held["whole"] = False
            self._step("snapshot half gone")
            self.storage.drop(held)
        self._step("snapshot gone")

    def revert_to_snapshot(
        self, context: RequestContext, share: Share, snapshot: Snapshot, share_server: Any = None
    ) -> bool:
        self.storage.enter(context, share.id)
        held = self.storage.of("snapshot", snapshot.id)
        if held is None or not held["whole"]:
            raise DriverError(f"snapshot {snapshot.id} does not exist")
        share_held = self._held(share.id)
        share_held["content"] = None
        self._step("content removed")
        share_held["content"] = snapshot.id
        self._step("reverted")
        return False

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
        self.storage.enter(context, share.id)
        held = self.storage.of("share", share.id)
        if held is None and not access_rules:
            return {}
        rules = self._held(share.id)["rules"]
        wanted = {(r.access_to, r.access_level) for r in access_rules}
        for rule in [*(rules - wanted), *(wanted - rules)]:
            rules ^= {rule}
            self._step("a rule set")
        return {}

    def snapshot_update_access(
        self,
        context: RequestContext,
        snapshot: Snapshot,
        access_rules: Sequence[AccessRule],
        add_rules: Sequence[AccessRule],
        delete_rules: Sequence[AccessRule],
        share_server: Any = None,
    ) -> dict[str, str]:
        self.storage.enter(context, snapshot.share_id)
        held = self.storage.of("snapshot", snapshot.id)
        if held is None and access_rules:
            raise DriverError(f"snapshot {snapshot.id} does not exist")
        rules = set() if held is None else held["rules"]
        wanted = {(r.access_to, r.access_level) for r in access_rules}
        for rule in [*(rules - wanted), *(wanted - rules)]:
            rules ^= {rule}
            self._step("a rule of a snapshot set")
        return {}

    def snapshot_export_locations(
        self, context: RequestContext, snapshot: Snapshot, share_server: Any = None
    ) -> list[ExportLocation]:
        held = self.storage.of("snapshot", snapshot.id)
        path = f"sim:/{snapshot.share_id}@{snapshot.id}"
        return [ExportLocation(path=path)] if held is not None and held["rules"] else []

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        self.storage.enter(current_attempt(), snapshot.share_id)
        held = self.storage.of("snapshot", snapshot.id)
        if held is not None:
            held["rules"].clear()
        self._step("a snapshot let go")

    def _held(self, share_id: str) -> dict[str, Any]:
        held = self.storage.of("share", share_id)
        if held is None:
            raise DriverError(f"share {share_id} does not exist")
        return held


class ProbingDriver(SteppingDriver):
    """A stepping driver that can probe."""

    def probe_share(
        self, context: RequestContext, share: Share, share_server: Any = None
    ) -> ProbeResult:
        self._step("probed")
        held = self.storage.of("share", share.id)
        snapshots = [self.storage.of("snapshot", s.id) for s in share.snapshots]
        there = [s for s in snapshots if s is not None]
        told = {
            "snapshots": {s["tag"]: f"sim:/{share.id}@{s['tag']}" for s in there if s["whole"]},
            "unfinished": frozenset(s["tag"] for s in there if not s["whole"]),
        }
        if held is None:
            return ProbeResult(state="absent", access=frozenset(), **told)
        return ProbeResult(
            state="whole" if held["whole"] else "partial",
            size=held["size"],
            export_locations=(ExportLocation(path=f"sim:/{share.id}"),),
            access=frozenset(("user", to, level) for to, level in held["rules"]),
            **told,
        )
