"""From documents to declared shares: every field is checked, and what only the system sets is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

from share_actors.cli.apply.declared import MARK, DeclaredRule, DeclaredShare
from share_actors.cli.apply.reading import Document
from share_actors.errors import InvalidRequest, showable, shown
from share_actors.events.share.rules import client_key

ALIASES = {
    "protocol": "share_proto",
    "type": "share_type",
    "backend": "host",
    "rules": "access_rules",
}
FIXED = (
    "share_proto",
    "share_type",
    "host",
    "share_network_id",
    "availability_zone",
    "snapshot_id",
)
"""The fields that are set when a share is created, and cannot be changed later."""
OWN = ("kind", "name", "size", "description", "is_public", "metadata", "access_rules", *FIXED)
READ_ONLY = (
    "id",
    "share_server_id",
    "user_id",
    "created_at",
    "status",
    "status_reason",
    "scheduled_to_be_deleted_at",
    "export_locations",
    "snapshots",
    "locks",
    "waiting_for_thread",
    "receipt",
)
"""What `share show -o yaml` has, and only the system sets."""
RULE_ALIASES = {"access_type": "type", "access_to": "to", "access_level": "level"}
RULE_READ_ONLY = ("id", "state", "reason", "warning", "world")
MAX_TOLD = 20
"""The most problems that one error tells."""


class Parsed(NamedTuple):
    """The declared shares, and the names of the fields that were left out."""

    shares: tuple[DeclaredShare, ...]
    ignored: tuple[str, ...]


def parse(documents: Iterable[Document], project_id: str) -> Parsed:
    """The shares that *documents* declare in this project.

    Raises `InvalidRequest` that tells every problem with its document, field and value.
    """
    shares: dict[str, DeclaredShare] = {}
    ignored: dict[str, None] = {}
    problems: list[InvalidRequest] = []
    for document in documents:
        try:
            share, left_out = _share(document, project_id)
            _check_new(shares, share)
        except InvalidRequest as error:
            problems.append(error)
        else:
            shares[share.name] = share
            ignored |= dict.fromkeys(left_out)
    if problems:
        raise all_of(problems)
    if not shares:
        raise InvalidRequest(
            "file: declares no shares; nothing was recorded", field="file", value=None
        )
    return Parsed(tuple(shares.values()), tuple(ignored))


def all_of(problems: list[InvalidRequest]) -> InvalidRequest:
    """One error that tells all *problems*; its field and value are those of the first."""
    text = "\n".join(error.reason for error in problems[:MAX_TOLD])
    more = len(problems) - MAX_TOLD
    text += f"\nand {more} more" if more > 0 else ""
    first = problems[0]
    return InvalidRequest(f"{text}; nothing was recorded", field=first.field, value=first.value)


def refuse(where: str, field: str, value: object, problem: str) -> NoReturn:
    """Raise `InvalidRequest` about a *field* of the declaration at this place of the file."""
    text = f"{where}: {field}: {problem}: {shown(value)}"
    raise InvalidRequest(text, field=field, value=showable(value))


def _check_new(shares: Mapping[str, DeclaredShare], share: DeclaredShare) -> None:
    if share.name in shares:
        refuse(share.where, "name", share.name, f"is the name in {shares[share.name].where}, too")


def _share(document: Document, project_id: str) -> tuple[DeclaredShare, list[str]]:
    where = document.where
    fields = _renamed(where, _mapping(where, "share", document.content), ALIASES)
    if (kind := fields.pop("kind", "share")) != "share":
        refuse(where, "kind", kind, "is not share, the only kind there is")
    if (owner := fields.pop("project_id", project_id)) != project_id:
        refuse(where, "project_id", owner, f"is not the project of your requests, {project_id}")
    ignored = [name for name in fields if name in READ_ONLY]
    if unknown := [name for name in fields if name not in (*OWN, *READ_ONLY)]:
        known = ", ".join(sorted({*OWN, *ALIASES} - set(ALIASES.values())))
        refuse(where, unknown[0], fields[unknown[0]], f"unknown field; there are {known}")
    share = DeclaredShare(
        where=where,
        name=_name(where, fields.get("name")),
        size=_size(where, fields.get("size")),
        fixed={
            name: _text(where, name, fields[name])
            for name in FIXED
            if fields.get(name) not in (None, "")
        },
        description=_optional_text(where, "description", fields.get("description")),
        is_public=_flag(where, "is_public", fields.get("is_public")),
        metadata=_metadata(where, fields.get("metadata")),
        rules=_rules(where, fields.get("access_rules")),
    )
    return share, ignored


def _renamed(where: str, fields: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """*fields* by the names of the client; a field may be given by one of its names."""
    found: dict[str, Any] = {}
    for given, value in fields.items():
        name = names.get(given, given)
        if name in found:
            refuse(where, given, value, f"is the same field as {name}, which is there too")
        found[name] = value
    return found


def _mapping(where: str, field: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        refuse(where, field, value, "is not a mapping of fields")
    for key in value:
        if not isinstance(key, str):
            refuse(where, field, key, "has a name that is not a text")
    return dict(value)


def _name(where: str, value: object) -> str:
    if value is None or value == "":
        refuse(where, "name", value, "is missing: shares are matched by their names")
    return _text(where, "name", value)


def _size(where: str, value: object) -> int:
    if value is None:
        refuse(where, "size", value, "is missing")
    if type(value) is not int or value < 1:
        refuse(where, "size", value, "is not a whole number of GiB, at least 1")
    return value


def _text(where: str, field: str, value: object) -> str:
    if not isinstance(value, str):
        refuse(where, field, value, "is not a text: write it in quotes")
    return value


def _optional_text(where: str, field: str, value: object) -> str | None:
    return None if value is None else _text(where, field, value)


def _flag(where: str, field: str, value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        refuse(where, field, value, "is not true or false")
    return value


def _metadata(where: str, value: object) -> dict[str, str] | None:
    if value is None:
        return None
    pairs = _mapping(where, "metadata", value)
    pairs.pop(MARK, None)  # the system's own, as `share show` tells it
    return {key: _text(where, f"metadata.{key}", each) for key, each in pairs.items()}


def _rules(where: str, value: object) -> tuple[DeclaredRule, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        refuse(where, "rules", value, "is not a list")
    rules: dict[str, DeclaredRule] = {}
    for n, each in enumerate(value, 1):
        rule = _rule(f"{where}, rule {n}", each)
        key = client_key(rule.type, rule.to)
        if key in rules:
            refuse(f"{where}, rule {n}", "to", rule.to, "has a rule already in this share")
        rules[key] = rule
    return tuple(rules.values())


def _rule(where: str, value: object) -> DeclaredRule:
    given = _renamed(where, _mapping(where, "rule", value), RULE_ALIASES)
    fields = {name: each for name, each in given.items() if name not in RULE_READ_ONLY}
    for name, each in fields.items():
        if name not in ("type", "to", "level"):
            refuse(where, name, each, "unknown field; there are type, to, level")
        _text(where, name, each)
    if "to" not in fields:
        refuse(where, "to", None, "is missing")
    return DeclaredRule(**fields)
