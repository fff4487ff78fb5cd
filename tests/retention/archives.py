"""Archiving the deleted shares of a site, and what its log then is."""

from __future__ import annotations

from datetime import UTC, datetime

from share_actors.audit.archives import archive
from share_actors.audit.archives.run import Archived
from share_actors.audit.proofs import Report, verify
from share_actors.events.archives import STREAM
from share_actors.events.checkpoints.leaves import Leaf
from share_actors.events.log.archived_rows import ArchivedRow
from share_actors.events.log.infrastructure import codec_of
from share_actors.values import OPERATOR
from tests.retention.conftest import Site

AT = "2026-03-01T12:00:40Z"
NOW = datetime(2027, 1, 1, tzinfo=UTC)


def archived(site: Site, *, keep: bool = False) -> Archived:
    return archive(site.config, NOW, site.file, OPERATOR, keep=keep)


def leaves(site: Site) -> list[Leaf]:
    return [Leaf.of(row) for row in site.rows()]


def report(site: Site) -> Report:
    codec = codec_of(site.config.log)
    return verify(
        site.rows(),
        contiguous=site.config.log.kind == "sqlite",
        decode=lambda row: codec.decode_row(*row[1:], row.position),
    )


def check_after_crash(site: Site, before: list[Leaf]) -> None:
    """Nothing is lost at any time, and repeating leads to the same end."""
    assert leaves(site)[:15] == before
    assert report(site).ok

    done = archived(site)

    assert leaves(site)[:15] == before
    assert (done.events, report(site).ok) == (6, True)
    assert sum(isinstance(row, ArchivedRow) for row in site.rows()) == 6
    assert [row.stream for row in site.rows()].count(STREAM) == 1
    assert site.json("log", "verify")["covered"] == 16
