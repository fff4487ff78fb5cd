"""Forgetting a subject: what is refused, what is left in the files, and what a crash leaves to be done."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from share_actors.audit.proofs.verification import verify
from share_actors.audit.reading.reader import open_configured_reader
from share_actors.errors import InvalidRequest, LogError, NotFound, Refused
from share_actors.events.checkpoints.check_bundle import Checkpoint
from share_actors.events.checkpoints.directory import CheckpointDirectory
from share_actors.events.checkpoints.keys import SigningKey
from share_actors.events.checkpoints.writer import CheckpointWriter
from share_actors.events.decider import EPOCH
from share_actors.events.erasing import Eraser, envelope_of, parsed, refuse_if_in_force
from share_actors.events.log.postgres.store import login
from share_actors.events.share.access import AccessRulesApplied
from share_actors.events.share.deletion import ShareDeleted, ShareDeletionRequested
from share_actors.events.share.resize import ShareResizeRequested
from share_actors.events.share.snapshot.access import SnapshotAccessAllowed
from share_actors.events.share.snapshot.messages import SnapshotCreated, SnapshotRequested
from share_actors.events.subject import SubjectForgotten, stream_of_subject
from share_actors.values import RequestContext
from tests.audit.conftest import HOME, SCRATCH, opened, write
from tests.erasure.conftest import Site

OFFICER = envelope_of(RequestContext(user_id="officer"))


def tell(site: Site) -> None:
    """A share of alice that exists, and one of bob that was deleted."""
    write(site.log, "share-s1", HOME, user="alice", project="demo")
    write(site.log, "share-s2", SCRATCH, user="bob", project="web")


# -- afterwards ------------------------------------------------------------------------------------
def test_a_forgotten_user_is_erased_in_streams_and_catalog(any_site: Site) -> None:
    tell(any_site)
    assert any_site.catalog().shares().items[0].user_id == "alice"
    plan = any_site.forget("user:alice")
    shown = f"erased-{plan.report.ids[0][:16]}"
    assert {r.envelope.user_id for r in any_site.log.read("share-s1")} == {shown}
    (share,) = any_site.catalog().shares().items
    assert (share.user_id, share.name, share.project_id) == (shown, shown, "demo")


def test_another_process_learns_of_it(any_site: Site) -> None:
    tell(any_site)
    other = any_site.open()
    assert other.read("share-s1")[0].envelope.user_id == "alice"
    any_site.forget("user:alice")
    assert other.subjects is not None
    other.subjects.ring.refresh(at_once=True)
    assert other.read("share-s1")[0].envelope.user_id.startswith("erased-")


def test_no_file_has_a_text_of_the_subject(site: Site) -> None:
    tell(site)
    catalog = site.catalog()
    catalog.shares()
    assert b"alice" in _bytes_below(site.config.home)
    site.forget("user:alice")
    content = _bytes_below(site.config.home)
    assert b"alice" not in content
    assert b"home" not in content.replace(b"/home", b"")
    assert b"demo" in content  # in the key store, as another subject has not been forgotten


def test_no_table_has_a_text_of_the_subject(postgres_site: Site) -> None:
    tell(postgres_site)
    postgres_site.catalog().shares()
    assert "alice" in _rows(postgres_site)
    postgres_site.forget("user:alice")
    rows = _rows(postgres_site)
    assert "alice" not in rows
    assert "demo" in rows


def test_the_event_says_who_asked_and_not_whom_it_was_about(any_site: Site) -> None:
    tell(any_site)
    plan = any_site.forget("user:alice")
    (subject_id,) = plan.report.ids
    (recorded,) = any_site.log.read(stream_of_subject(subject_id))
    assert recorded.envelope.user_id == "officer"
    assert recorded.event == SubjectForgotten(
        subject_id=subject_id, kind="user", events=plan.report.events, streams=2
    )


def test_a_checkpoint_from_before_still_verifies(site: Site, tmp_path: Path) -> None:
    tell(site)
    key = SigningKey.load_or_create(tmp_path / "key", "share-actors/test")
    directory = CheckpointDirectory(tmp_path / "checkpoints")
    written = CheckpointWriter(directory, key).write_all(site.log.notifications)
    assert written is not None
    checkpoint = Checkpoint.parse(written.note, key.public)
    before = [row.state for row in site.log.notifications(0, 100)]
    site.forget("user:alice")
    assert [row.state for row in site.log.notifications(0, len(before))] == before
    rows, leaves = site.log.notifications(0, 100), directory.leaves(checkpoint.size)
    report = verify(rows, checkpoint, leaves, contiguous=True)
    assert (report.ok, report.covered) == (True, len(before))


def test_readers_without_a_system_show_it_as_erased(any_site: Site) -> None:
    tell(any_site)
    any_site.forget("user:alice")
    with open_configured_reader(any_site.config) as reader:
        users = {recorded.envelope.user_id for recorded in map(reader.decode, reader.rows())}
    assert "alice" not in users
    assert {"bob", "officer"} < users


# -- refused ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("project:demo", r"share s1 \(available\) is of the project: delete it first"),
        ("client:10.0.0.0/8", r"rule r9 of share s1 \(queued\) is for this client: deny it first"),
        ("user:alice", "rule/r9/allow of s1, which it requested, is pending: wait until it ends"),
    ],
)
def test_what_is_in_force_is_kept_and_named(any_site: Site, name: str, reason: str) -> None:
    tell(any_site)
    write(any_site.log, "share-s1", [(50, opened("r9"), "c-again")])
    report = any_site.eraser().plan(name).report
    with pytest.raises(Refused, match=f"its key was kept: .*{reason}") as refusal:
        refuse_if_in_force(report)
    assert refusal.value.value == name
    assert any_site.log.read("share-s1")[0].envelope.user_id == "alice"


def test_a_client_can_be_forgotten_once_its_rule_is_gone(any_site: Site) -> None:
    tell(any_site)
    plan = any_site.forget("client:10.0.0.0/8")
    event = any_site.log.read("share-s1")[3].event
    assert event.access_to == f"erased-{plan.report.ids[0][:16]}"  # type: ignore[attr-defined]


def test_a_project_can_be_forgotten_once_its_shares_are_gone(site: Site) -> None:
    tell(site)
    write(
        site.log,
        "share-s1",
        [(70, ShareDeletionRequested(cascade=False), "c-gone"), (71, ShareDeleted())],
    )
    assert site.forget("project:demo").report.refused == ()


def test_a_client_of_a_snapshot_is_kept_and_named(site: Site) -> None:
    tell(site)
    rule = SnapshotAccessAllowed(
        snapshot_id="n", access_id="r7", access_type="ip", access_to="10.9.9.9", access_level="ro"
    )
    snapshot = SnapshotRequested(snapshot_id="n", name=None, at=EPOCH)
    made = SnapshotCreated(snapshot_id="n", provider_location=None)
    write(site.log, "share-s1", [(70, snapshot, "c-n"), (71, made), (72, rule, "c-r7")])

    (reason, *_) = site.eraser().plan("client:10.9.9.9").report.refused

    assert reason == "rule r7 of snapshot n (queued) is for this client: deny it first"


def test_a_user_with_a_request_under_way_is_kept(site: Site) -> None:
    tell(site)
    write(site.log, "share-s1", [(70, ShareResizeRequested(doing="extend", size=9), "c-more")])
    (reason,) = site.eraser().plan("user:alice").report.refused
    assert reason == "extend of s1, which it requested, is pending: wait until it ends"


@pytest.mark.parametrize("name", ["alice", "group:alice", "user:", ""])
def test_a_subject_has_a_kind_and_a_name(name: str) -> None:
    with pytest.raises(InvalidRequest, match="user:NAME, project:NAME, client:NAME"):
        parsed(name)


def test_a_client_has_one_spelling() -> None:
    assert parsed("client:10.0.0.7/32").name == "10.0.0.7"


def test_an_unknown_subject_is_not_found(any_site: Site) -> None:
    tell(any_site)
    with pytest.raises(NotFound, match="there is no data subject user:carol"):
        any_site.eraser().plan("user:carol")


def test_nothing_can_be_forgotten_where_nothing_is_sealed(site: Site) -> None:
    log = site.open(seal=(), store=site.config.home / "none")
    with pytest.raises(Refused, match="erasure is off"):
        Eraser(log, site.catalog(log))


# -- repeated, and crashed -------------------------------------------------------------------------
def test_forgetting_again_changes_nothing(any_site: Site) -> None:
    tell(any_site)
    any_site.forget("user:alice")
    head = any_site.log.head()
    plan = any_site.eraser().plan("user:alice")
    assert plan.report.was_done_before
    assert (plan.pending, any_site.log.head()) == ((), head)


def test_a_repeated_request_completes_what_a_crash_left_out(any_site: Site) -> None:
    tell(any_site)
    eraser = any_site.eraser()
    plan = eraser.plan("user:alice")
    eraser.destroy(plan)  # and a crash before the event
    again = any_site.eraser().plan("user:alice")
    assert again.pending == plan.pending
    any_site.forget("user:alice")
    assert len(any_site.log.read(stream_of_subject(plan.report.ids[0]))) == 1


def test_a_marker_counts_before_the_key_is_destroyed(any_site: Site) -> None:
    tell(any_site)
    ring = any_site.eraser()._ring
    (subject_id,) = any_site.eraser().plan("user:alice").report.ids
    ring.store.mark_forgotten(subject_id, '{"kind": "user", "forgotten": "2026-01-01"}')  # a crash
    ring.refresh(at_once=True)
    assert any_site.log.read("share-s1")[0].envelope.user_id.startswith("erased-")
    any_site.forget("user:alice")
    assert ring.store.read([subject_id]) == {}


def test_two_processes_record_it_once(any_site: Site) -> None:
    tell(any_site)
    one, other = any_site.eraser(), any_site.eraser()
    first, second = one.plan("user:alice"), other.plan("user:alice")
    for eraser, plan in ((one, first), (other, second)):
        eraser.destroy(plan)
        asyncio.run(eraser.record(plan, OFFICER))
    assert any_site.log.version(stream_of_subject(first.report.ids[0])) == 1


def test_a_subject_that_came_again_is_forgotten_again(any_site: Site) -> None:
    tell(any_site)
    first = any_site.forget("user:alice")
    write(any_site.log, "share-s1", [(80, AccessRulesApplied(), "c-back")])
    listed = {s.id: s.name for s in any_site.eraser().subjects() if s.kind == "user"}
    assert listed[first.report.ids[0]] is None
    second = any_site.forget("user:alice")
    assert second.report.ids[0] == first.report.ids[0]
    assert len(second.report.ids) == 2


# -- a key store that is gone ----------------------------------------------------------------------
def test_a_log_does_not_open_without_the_keys_that_it_was_written_with(site: Site) -> None:
    tell(site)
    (site.config.home / "subjects").rename(site.config.home / "elsewhere")
    with pytest.raises(LogError, match="it was lost; nothing was changed; restore the key store"):
        site.open()


def test_what_was_sealed_is_read_after_sealing_is_switched_off(any_site: Site) -> None:
    tell(any_site)
    log = any_site.open(seal=())
    assert log.read("share-s1")[0].envelope.user_id == "alice"
    write(log, "share-s1", [(90, AccessRulesApplied())])
    assert b"alice" in log.notifications(log.head() - 1, 1)[0].state


def test_no_state_snapshot_is_written_where_subjects_can_be_forgotten(any_site: Site) -> None:
    any_site.log.save_snapshot("share-s1", 1, "share.state.v1", b"{}")
    any_site.log.stop_writing()
    assert any_site.log.load_snapshot("share-s1") is None


def test_keys_are_for_this_user_only(site: Site) -> None:
    tell(site)
    files = [path for path in (site.config.home / "subjects").rglob("*") if path.is_file()]
    assert len(files) == 6
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def _bytes_below(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())


def _rows(site: Site) -> str:
    with psycopg.connect(**login(site.config.log)) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", [site.config.log.schema_name]
        ).fetchall()
        return "".join(
            str(
                connection.execute(
                    f'SELECT t::text FROM "{site.config.log.schema_name}"."{n}" t'
                ).fetchall()
            )
            for (n,) in names
        )
