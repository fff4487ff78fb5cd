"""What one can wait for of a share: pure functions of the share."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.client.share.conditions import condition_of, is_at_work
from share_actors.errors import InvalidRequest, NotFound, OperationFailed, Refused
from share_actors.values import AccessRule, Share, Snapshot


def share(status: Any = "available", **fields: Any) -> Share:
    return Share(id="s1", status=status, **fields)


def rule(state: Any = "active", to: str = "alice", reason: str | None = None) -> AccessRule:
    return AccessRule(id=f"id-{to}", access_type="user", access_to=to, state=state, reason=reason)


def snapshot(status: Any = "available", name: str = "night") -> Snapshot:
    return Snapshot(id=f"id-{name}", share_id="s1", name=name, status=status, reason="full")


@pytest.mark.parametrize(
    ("condition", "seen"),
    [
        ("available", share()),
        ("deleted", share("deleted")),
        ("unmanaged", share("unmanaged")),
        ("error", share("error")),
        ("error", share("reverting_error")),
        ("settled", share("error")),
        ("settled", share(access_rules=(rule("error"),))),
        ("rule-active", share(access_rules=(rule(), rule(to="bob")))),
        ("rule-active=alice", share(access_rules=(rule(), rule("queued", "bob")))),
        ("rule-active=id-bob", share(access_rules=(rule("queued"), rule(to="bob")))),
        ("snapshot-available=night", share(snapshots=(snapshot(), snapshot("creating", "noon")))),
        ("snapshot-available", share("error", snapshots=(snapshot(),))),
    ],
)
def test_a_condition_is_met(condition: str, seen: Share) -> None:
    assert condition_of(condition).is_met(seen)


@pytest.mark.parametrize(
    ("condition", "seen"),
    [
        ("available", share("creating")),
        ("deleted", share()),
        ("deleted", share("soft_deleted")),
        ("error", share()),
        ("settled", share("manage_starting")),
        ("settled", share(access_rules=(rule("denying"),))),
        ("settled", share(snapshots=(snapshot("restoring"),))),
        ("rule-active", share(access_rules=(rule(), rule("applying", "bob")))),
        ("rule-active", share("soft_deleted", access_rules=(rule("applying"),))),
        ("snapshot-available=noon", share(snapshots=(snapshot("creating", "noon"),))),
    ],
)
def test_a_condition_is_not_met_yet_and_may_be_later(condition: str, seen: Share) -> None:
    wanted = condition_of(condition)

    assert not wanted.is_met(seen)
    assert wanted.problem(seen) is None


@pytest.mark.parametrize(
    ("condition", "seen", "error", "text"),
    [
        ("available", share("deleted"), NotFound, "is deleted, so it will not become available"),
        ("deleted", share("unmanaged"), NotFound, "is unmanaged, so it will not become deleted"),
        ("error", share("deleted"), NotFound, "is deleted"),
        ("available", share("soft_deleted"), Refused, "unless it is restored"),
        ("available", share("error", status_reason="full"), OperationFailed, "is in error: full"),
        ("deleted", share("reverting_error"), OperationFailed, "is in reverting_error"),
        ("rule-active", share(), NotFound, "share s1 has no access rule"),
        ("rule-active=bob", share(access_rules=(rule(),)), NotFound, "no access rule 'bob'"),
        ("snapshot-available=x", share(snapshots=(snapshot(),)), NotFound, "no snapshot 'x'"),
        (
            "rule-active",
            share(access_rules=(rule(), rule("error", "bob", "no such user"))),
            OperationFailed,
            "access rule id-bob is in error: no such user",
        ),
        (
            "snapshot-available",
            share(snapshots=(snapshot("error"),)),
            OperationFailed,
            "snapshot id-night is in error: full",
        ),
    ],
)
def test_what_will_not_become_so_by_itself_is_an_error_with_the_reason(
    condition: str, seen: Share, error: type[Exception], text: str
) -> None:
    problem = condition_of(condition).problem(seen)

    assert type(problem) is error
    assert text in str(problem)


def test_a_failed_share_with_work_in_progress_may_still_change() -> None:
    seen = share("error", access_rules=(rule("applying"),))

    assert condition_of("rule-active").problem(seen) is None
    assert is_at_work(seen)


@pytest.mark.parametrize(
    "text", ["", "absent", "ready", "rule-active=", "available=alice", "settled=x", None, 3]
)
def test_an_unknown_condition_is_refused_with_the_known_ones(text: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        condition_of(text)

    assert refused.value.field == "condition"
    assert refused.value.value == text


@pytest.mark.parametrize("text", ["available", "rule-active=alice"])
def test_a_condition_reads_as_it_was_given(text: str) -> None:
    assert str(condition_of(text)) == text
