"""What `--from FILE` does for shares, access rules and deletions: its columns, and its JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from share_actors.actors.manager.request_spec import PROPERTIES, SYNONYMS
from share_actors.cli.batch_file import Columns
from share_actors.cli.batch_report import BatchKind
from share_actors.cli.rendering import rule_document

if TYPE_CHECKING:
    from share_actors.client.bulk.results import BulkResult


def _share(result: BulkResult) -> dict[str, Any]:
    share = result.share
    if share is None:
        return {}
    paths = [location.path for location in share.export_locations]
    return {"name": share.name, "share_status": share.status, "export_locations": paths}


def _rule(result: BulkResult) -> dict[str, Any]:
    return {} if result.rule is None else {"rule": rule_document(result.rule)}


def _nothing(_: BulkResult) -> dict[str, Any]:
    return {}


CREATIONS = BatchKind(
    "create_shares",
    Columns(
        names=PROPERTIES - {"metadata"} | {*SYNONYMS, "backend", "share_id", "only_host", "key"},
        numbers=("size",),
        flags=("is_public",),
        mappings=("metadata",),
    ),
    noun="share",
    done="created",
    document=_share,
)
ALLOWANCES = BatchKind(
    "allow_access",
    Columns(names=("share", "to", "type", "level", "key")),
    noun="access rule",
    done="applied",
    document=_rule,
)
DELETIONS = BatchKind(
    "delete_shares",
    Columns(names=("share", "cascade", "key"), flags=("cascade",)),
    noun="share",
    done="deleted",
    document=_nothing,
)
