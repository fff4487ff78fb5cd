"""A backend compared with the log: what only one of them has, and sizes, rules and exports that differ.

The comparison is sound while the system works: only shares that did not change while the backend was listed
are compared, and only what the log does not have at all is reported as unknown.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from share_actors.drivers.abilities import BackendObject
from share_actors.values import Frozen, Share, Snapshot
from share_actors.values.checks.addresses import normal_client

Kind = Literal["unknown", "lost", "size", "rules", "rules_on_file", "exports"]
Rules = frozenset[tuple[str, str, str]]
_GIB = 1024**3


class BackendDifference(Frozen):
    """A difference between a backend and the log, about the share or snapshot *id*.

    `unknown`: only the backend has it. `lost`: only the log has it. Otherwise it is the property that
    differs: *recorded* is what the log has, and *found* what the backend has. *next_step*: how to mend it.
    """

    kind: Kind
    of: Literal["share", "snapshot"]
    id: str | None
    location: str | None = None
    recorded: str | None = None
    found: str | None = None
    size: int | None = None
    """In GiB, of what only the backend has; None if it is not known."""
    share_server_id: str | None = None
    """Of what only the backend has: the share server that it is on."""
    share_id: str | None = None
    """Of a snapshot that only the backend has: its share, if the backend tells."""
    is_of_known_share: bool = False
    """Of a snapshot that only the backend has: whether the log has this share on the backend."""
    next_step: str

    def is_unknown_as(self, id_or_location: str) -> bool:
        """Whether this is what only the backend has, with this id or at this location."""
        return self.kind == "unknown" and id_or_location in (self.id, self.location)


class _Known(NamedTuple):
    """The log's shares by id, those that did not change meanwhile, and all snapshots by id."""

    shares: Mapping[str, Share]
    steady: Mapping[str, Share]
    snapshots: Mapping[str, Snapshot]


def compare(
    backend: str, objects: Sequence[BackendObject], before: Sequence[Share], after: Sequence[Share]
) -> list[BackendDifference]:
    """The differences between *objects* on *backend* and its shares in the log, in a stable order.

    *before* and *after*: the log's shares before and after the objects were listed.
    """
    earlier = {share.id: share for share in before}
    shares = {share.id: share for share in after}
    steady = {i: share for i, share in shares.items() if earlier.get(i) == share}
    snapshots = {snapshot.id: snapshot for share in after for snapshot in share.snapshots}
    known = _Known(shares, steady, snapshots)
    found = [*_on_backend(backend, objects, known), *_lost(objects, known)]
    return sorted(found, key=lambda d: (d.of, d.id or "", d.location or "", d.kind))


def _on_backend(
    backend: str, objects: Sequence[BackendObject], known: _Known
) -> Iterator[BackendDifference]:
    for item in objects:
        recorded = known.shares if item.kind == "share" else known.snapshots
        if item.id not in recorded:
            yield _unknown(backend, item, known)
        elif (share := known.steady.get(_share_id(item, known))) is not None:
            differences = _differences if item.kind == "share" else _snapshot_differences
            yield from differences(item, share)


def _share_id(item: BackendObject, known: _Known) -> str:
    """The id of the share that *item*, which the log has, is or is a snapshot of."""
    item_id = item.id or ""
    return item_id if item.kind == "share" else known.snapshots[item_id].share_id


def _unknown(backend: str, item: BackendObject, known: _Known) -> BackendDifference:
    server = "" if item.share_server_id is None else f" --server {item.share_server_id}"
    is_of_known_share = item.kind == "snapshot" and item.share_id in known.shares
    path = shlex.quote(f"path={item.location}")
    step = (
        f"snapshot manage {item.share_id} --location {shlex.quote(item.location)}"
        if is_of_known_share
        else f"share manage --option {path}{_as_share(item)} --backend {backend}{server}"
    )
    return BackendDifference(
        kind="unknown",
        of=item.kind,
        id=item.id,
        location=item.location,
        found=None if item.size is None else f"{item.size} GiB",
        size=item.size or None,
        share_server_id=item.share_server_id,
        share_id=item.share_id,
        is_of_known_share=is_of_known_share,
        next_step=f"Adopt it: `share-actors {step}`; or {_deletion(backend, item)}.",
    )


def _as_share(item: BackendObject) -> str:
    """The option with which a snapshot is managed as a share, which the log has no share for."""
    return " --option snapshot=true" if item.kind == "snapshot" else ""


def _deletion(backend: str, item: BackendObject) -> str:
    named = shlex.quote(item.id or item.location)
    return f"delete it: `share-actors backend audit {backend} --delete-unknown {named} --apply`"


def _differences(item: BackendObject, share: Share) -> Iterator[BackendDifference]:
    if share.status != "available":
        return
    if (size := _other_size(item, share)) is not None:
        yield _differs("size", item, f"{share.size} GiB", size)
    if (rules := _settled_rules(share)) is not None:
        applied: dict[Kind, Rules | None] = {
            "rules": item.access,
            "rules_on_file": item.access_on_file,
        }
        for kind, access in applied.items():
            if access is not None and not _same_rules(access, rules):
                yield _differs(kind, item, rules_text(rules), rules_text(access))
    paths = {location.path for location in share.export_locations}  # one may have two protocols
    if item.export_paths and set(item.export_paths) != paths:
        recorded, found = (", ".join(sorted(those)) for those in (paths, set(item.export_paths)))
        yield _differs("exports", item, recorded, found)


def _other_size(item: BackendObject, share: Share) -> str | None:
    """The size on the backend; None if it is that of *share*, or not known."""
    if item.limit_bytes is None:
        return f"{item.size} GiB" if item.size not in (None, share.size) else None
    if item.limit_bytes == share.size * _GIB:
        return None
    return f"{item.limit_bytes / _GIB:g} GiB" if item.limit_bytes else "no limit"


def _snapshot_differences(item: BackendObject, share: Share) -> Iterator[BackendDifference]:
    """What differs of a snapshot of *share*: the rules under which it is mounted by itself."""
    snapshot = next(snapshot for snapshot in share.snapshots if snapshot.id == item.id)
    rules = _settled_rules(snapshot)
    if share.status != "available" or snapshot.status != "available" or rules is None:
        return
    if item.access is not None and not _same_rules(item.access, rules):
        yield _differs("rules", item, rules_text(rules), rules_text(item.access), share.id)


def _differs(
    kind: Kind, item: BackendObject, recorded: str, found: str, share_id: str | None = None
) -> BackendDifference:
    return BackendDifference(
        kind=kind,
        of=item.kind,
        id=item.id,
        location=item.location,
        recorded=recorded,
        found=found,
        next_step=f"Apply what is recorded: `share-actors share reapply {share_id or item.id}`.",
    )


def _settled_rules(share: Share | Snapshot) -> Rules | None:
    """The rules that must be in force; None while rules are being changed."""
    if any(rule.state not in ("active", "error") for rule in share.access_rules):
        return None
    active = (rule for rule in share.access_rules if rule.state == "active")
    return frozenset((rule.access_type, rule.access_to, rule.access_level) for rule in active)


def _same_rules(one: Rules, other: Rules) -> bool:
    """Whether the rules let in the same clients; one address or network may be spelled in several ways."""
    return _spelled_once(one) == _spelled_once(other)


def _spelled_once(rules: Rules) -> Rules:
    return frozenset(
        (kind, _client(to) if kind == "ip" else to, level) for kind, to, level in rules
    )


def _client(text: str) -> str:
    try:
        return normal_client(text)
    except ValueError:  # somebody edited it
        return text


def _lost(objects: Sequence[BackendObject], known: _Known) -> Iterator[BackendDifference]:
    there = {(item.kind, item.id) for item in objects}
    for share in known.steady.values():
        if share.status != "available":
            continue
        if ("share", share.id) not in there:
            yield _lost_one("share", share.id, f"share-actors share forget {share.id}")
        for snapshot in share.snapshots:
            if snapshot.status == "available" and ("snapshot", snapshot.id) not in there:
                step = f"share-actors snapshot forget {snapshot.id}"
                yield _lost_one("snapshot", snapshot.id, step)


def _lost_one(of: Literal["share", "snapshot"], item_id: str, command: str) -> BackendDifference:
    step = f"Restore its data; or give it up: `{command} --reason REASON`."
    return BackendDifference(kind="lost", of=of, id=item_id, next_step=step)


def rules_text(rules: Rules) -> str:
    """*rules* as text, sorted: `ip:10.0.0.0/8 rw`."""
    return ", ".join(f"{kind}:{to} {level}" for kind, to, level in sorted(rules)) or "none"
