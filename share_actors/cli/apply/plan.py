"""What has to be done so that shares are as declared. Pure: it compares values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from share_actors.cli.apply.declared import MARK, DeclaredRule, DeclaredShare
from share_actors.events.share.rules import client_key
from share_actors.values import AccessRule, Share

Action = Literal["create", "extend", "set", "unset", "deny", "allow", "delete", "refuse"]
GONE = ("absent", "deleted", "unmanaged")


@dataclass(frozen=True)
class Step:
    """One request, or why there can be none (`refuse`)."""

    action: Action
    share: str
    """The share's name."""
    detail: str
    share_id: str | None = None
    """None: of the share that the step before it creates."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """The arguments of the request."""


def plan(
    current: Iterable[Share],
    declared: Sequence[DeclaredShare],
    set_name: str,
    *,
    prune: bool = False,
) -> list[Step]:
    """The steps from the *current* shares of the project to the *declared* ones; empty if nothing differs.

    With *prune* also the deletion of the shares that this set created and that are not declared any more.
    """
    live = [share for share in current if share.status not in GONE]
    named: dict[str | None, list[Share]] = defaultdict(list)
    for share in live:
        named[share.name].append(share)
    steps = [step for each in declared for step in _steps(named[each.name], each, set_name)]
    if prune:
        kept = {each.name for each in declared}
        steps += [_delete(share) for share in live if _is_pruned(share, kept, set_name)]
    return steps


def of_each_share(steps: Iterable[Step]) -> list[list[Step]]:
    """The steps of each share, in their order."""
    groups: dict[tuple[str | None, str], list[Step]] = defaultdict(list)
    for step in steps:
        groups[step.share_id, step.share].append(step)
    return list(groups.values())


def _is_pruned(share: Share, kept: set[str], set_name: str) -> bool:
    is_going = share.status in ("deleting", "soft_deleted")
    return share.metadata.get(MARK) == set_name and share.name not in kept and not is_going


def _delete(share: Share) -> Step:
    detail = f"{share.size} GiB, with its data: not declared any more"
    return Step("delete", share.name or share.id, detail, share.id)


def _steps(found: Sequence[Share], declared: DeclaredShare, set_name: str) -> Iterator[Step]:
    if not found:
        yield from _creation(declared, set_name)
    elif len(found) > 1:
        ids = ", ".join(sorted(share.id for share in found))
        problem = f"{len(found)} shares have this name: {ids}. Rename or delete all but one"
        yield Step("refuse", declared.name, problem)
    elif problems := list(_problems(found[0], declared, set_name)):
        for problem in problems:
            yield Step("refuse", declared.name, problem, found[0].id)
    else:
        yield from _changes(found[0], declared)


def _creation(declared: DeclaredShare, set_name: str) -> Iterator[Step]:
    words = [f"{declared.size} GiB", *(declared.fixed.values())]
    properties = declared.properties(set_name)
    yield Step("create", declared.name, ", ".join(words), None, properties)
    for rule in declared.rules or ():
        yield _allow(rule, declared.name, None)


# -- a share that is there -----------------------------------------------------------------------
def _problems(share: Share, declared: DeclaredShare, set_name: str) -> Iterator[str]:
    """Why the share cannot become as declared, and what to do."""
    if share.status == "soft_deleted":
        yield f"it is softly deleted: `share-actors share restore {share.id}` keeps it"
    elif share.status != "available":
        yield f"it is in status {share.status}: see `share-actors share explain {share.id}`"
    if (owner := share.metadata.get(MARK, set_name)) != set_name:
        yield f"it belongs to the set {owner!r}: declare it there, or remove its metadata {MARK!r}"
    if declared.size < share.size:
        shrink = f"`share-actors share shrink {share.id} --size {declared.size}`"
        yield f"size {share.size} -> {declared.size} GiB: apply shrinks no share; use {shrink}"
    for name, wanted in declared.fixed.items():
        if wanted != (now := _now(share, name, wanted)):
            yield f"{name} {now or 'none'} -> {wanted}: cannot be changed; declare a share of another name"
    for rule in share.access_rules:
        if declared.rules is not None and rule.state == "error":
            retry = f"`share-actors share retry {share.id}`"
            yield f"the rule for {rule.access_to} is in error: {retry}, or deny it"


def _now(share: Share, name: str, wanted: str) -> str | None:
    """The value of a field that cannot be changed; of `host` the backend alone, if no pool is declared."""
    if name == "host" and "#" not in wanted:
        return share.backend
    value: str | None = getattr(share, name)
    return value


def _changes(share: Share, declared: DeclaredShare) -> Iterator[Step]:
    if declared.size > share.size:
        detail = f"{share.size} -> {declared.size} GiB"
        yield Step("extend", declared.name, detail, share.id, {"size": declared.size})
    yield from _properties(share, declared)
    if declared.rules is not None:
        yield from _rules(share, declared.rules, declared.name)


def _properties(share: Share, declared: DeclaredShare) -> Iterator[Step]:
    changed: dict[str, object] = {}
    removed: dict[str, object] = {}
    if declared.description is not None and declared.description != (share.description or ""):
        if declared.description:
            changed["description"] = declared.description
        else:
            removed["description"] = True
    if declared.is_public not in (None, share.is_public):
        changed["is_public"] = declared.is_public
    if declared.metadata is not None:
        now, wanted = share.metadata, declared.metadata
        if added := {key: value for key, value in wanted.items() if now.get(key) != value}:
            changed["metadata"] = added
        if dropped := sorted(set(now) - set(wanted) - {MARK}):
            removed["metadata"] = dropped
    if removed:
        yield Step("unset", declared.name, _told(removed), share.id, removed)
    if changed:
        yield Step("set", declared.name, _told(changed), share.id, changed)


def _told(fields: Mapping[str, object]) -> str:
    words = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            words += [f"{name}.{key}={each}" for key, each in value.items()]
        elif isinstance(value, list):
            words += [f"{name}.{key}" for key in value]
        else:
            words.append(name if value is True and name == "description" else f"{name}={value}")
    return ", ".join(words)


# -- access rules --------------------------------------------------------------------------------
def _rules(share: Share, declared: Sequence[DeclaredRule], name: str) -> Iterator[Step]:
    """First what is denied: a client has one rule."""
    wanted = {client_key(rule.type, rule.to): rule for rule in declared}
    kept = set[str]()
    for rule in share.access_rules:
        key = client_key(rule.access_type, rule.access_to)
        if rule.state == "denying":
            continue
        if key in wanted and wanted[key].level == rule.access_level:
            kept.add(key)
        else:
            yield _deny(rule, name, share.id)
    for key, each in wanted.items():
        if key not in kept:
            yield _allow(each, name, share.id)


def _deny(rule: AccessRule, name: str, share_id: str) -> Step:
    detail = f"{rule.access_type} {rule.access_to} {rule.access_level}"
    return Step("deny", name, detail, share_id, {"rule": rule.id})


def _allow(rule: DeclaredRule, name: str, share_id: str | None) -> Step:
    return Step("allow", name, str(rule), share_id, rule.item)
