"""The plan: what has to be done, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.cli.apply.declared import MARK, DeclaredRule, DeclaredShare
from share_actors.cli.apply.plan import Step, of_each_share, plan
from share_actors.values import AccessRule, Share


def declared(name: str = "data", size: int = 2, **fields: Any) -> DeclaredShare:
    return DeclaredShare("document 1", name, size, **fields)


def share(**fields: Any) -> Share:
    given = {"id": "s1", "name": "data", "size": 2, "status": "available", "host": "dummy"}
    return Share.model_validate({**given, **fields})


def actions(steps: list[Step]) -> list[str]:
    return [step.action for step in steps]


def test_a_share_that_is_missing_is_created_with_the_mark_of_its_set_then_its_rules() -> None:
    steps = plan([], [declared(metadata={"team": "web"}, rules=(DeclaredRule("alice"),))], "s")

    assert actions(steps) == ["create", "allow"]
    assert steps[0].fields["metadata"] == {"team": "web", MARK: "s"}
    assert len(of_each_share(steps)) == 1


def test_what_is_not_declared_is_left_as_it_is() -> None:
    rule = AccessRule(id="r", access_type="user", access_to="bob", state="active")
    now = share(description="old", is_public=True, metadata={"a": "b"}, access_rules=(rule,))

    assert plan([now], [declared()], "s") == []


def test_a_declared_list_of_rules_is_the_whole_list_and_a_changed_level_denies_first() -> None:
    rules = (
        AccessRule(id="r1", access_type="ip", access_to="10.0.0.1/32", state="active"),
        AccessRule(id="r2", access_type="user", access_to="bob", state="active"),
        AccessRule(id="r3", access_type="user", access_to="eve", state="active"),
    )
    wanted = (DeclaredRule("10.0.0.1", "ip"), DeclaredRule("bob", level="ro"))

    steps = plan([share(access_rules=rules)], [declared(rules=wanted)], "s")

    assert [(step.action, step.detail) for step in steps] == [
        ("deny", "user bob rw"),
        ("deny", "user eve rw"),
        ("allow", "user bob ro"),
    ]


def test_a_declared_empty_description_removes_the_one_that_is_there() -> None:
    steps = plan([share(description="old")], [declared(description="")], "s")

    assert [(step.action, step.fields) for step in steps] == [("unset", {"description": True})]


@pytest.mark.parametrize(
    ("now", "wanted", "told"),
    [
        ({"size": 5}, {}, "shrink s1 --size 2"),
        ({}, {"fixed": {"share_proto": "CIFS"}}, "share_proto NFS -> CIFS"),
        ({}, {"fixed": {"share_type": "gold"}}, "share_type none -> gold"),
        ({}, {"fixed": {"host": "other"}}, "host dummy -> other"),
        ({"host": "dummy#a"}, {"fixed": {"host": "dummy#b"}}, "host dummy#a -> dummy#b"),
        ({"status": "error"}, {}, "in status error"),
        ({"status": "soft_deleted"}, {}, "share restore s1"),
        ({"metadata": {MARK: "other"}}, {}, "belongs to the set 'other'"),
    ],
)
def test_what_cannot_be_changed_is_refused_with_what_to_do(
    now: dict[str, Any], wanted: dict[str, Any], told: str
) -> None:
    [step] = plan([share(**now)], [declared(**wanted)], "s")

    assert step.action == "refuse"
    assert told in step.detail


def test_a_name_that_two_shares_have_is_refused_with_their_ids() -> None:
    [step] = plan([share(), share(id="s2")], [declared()], "s")

    assert step.action == "refuse"
    assert "s1, s2" in step.detail


def test_a_rule_in_error_is_refused_only_if_rules_are_declared() -> None:
    rule = AccessRule(id="r", access_type="user", access_to="bob", state="error")
    now = share(access_rules=(rule,))

    assert plan([now], [declared()], "s") == []
    assert actions(plan([now], [declared(rules=())], "s")) == ["refuse"]


def test_only_shares_that_the_set_created_are_pruned() -> None:
    shares = [
        share(),
        share(id="s2", name="mine", metadata={MARK: "s"}),
        share(id="s3", name="others", metadata={MARK: "t"}),
        share(id="s4", name="by hand"),
        share(id="s5", name="going", metadata={MARK: "s"}, status="soft_deleted"),
    ]

    steps = plan(shares, [declared()], "s", prune=True)

    assert [(step.action, step.share_id) for step in steps] == [("delete", "s2")]
    assert plan(shares, [declared()], "s") == []


# -- what is planned leads to what is declared ------------------------------------------------------
def carried_out(shares: list[Share], steps: list[Step]) -> list[Share]:
    """The shares after *steps*, as the client's methods are documented."""
    found = {each.id: each for each in shares}
    for n, step in enumerate(steps):
        now = found.get(step.share_id or f"new {step.share}")
        made = _after(now, step, str(n))
        if made is None:
            del found[str(step.share_id)]
        else:
            found[made.id] = made
    return list(found.values())


def _after(now: Share | None, step: Step, new_id: str) -> Share | None:
    fields: Any = step.fields
    if step.action == "create":
        return Share.model_validate({**fields, "id": f"new {step.share}", "status": "available"})
    assert now is not None
    rules = now.access_rules
    match step.action:
        case "extend":
            return now.replace(size=fields["size"])
        case "set":
            return now.replace(**{**fields, "metadata": now.metadata | fields.get("metadata", {})})
        case "unset":
            removed = fields.get("metadata", [])
            kept = {k: v for k, v in now.metadata.items() if k not in removed}
            text = None if "description" in fields else now.description
            return now.replace(metadata=kept, description=text)
        case "allow":
            added = {f"access_{name}": value for name, value in fields.items()}
            rule = AccessRule.model_validate({**added, "id": new_id, "state": "active"})
            return now.replace(access_rules=(*rules, rule))
        case "deny":
            return now.replace(access_rules=tuple(r for r in rules if r.id != fields["rule"]))
        case _:
            return None


NAMES = st.sampled_from(["a", "b", "c", "d"])
TEXTS = st.sampled_from(["", "x", "y"])
METADATA = st.dictionaries(st.sampled_from(["k", "l"]), st.sampled_from(["1", "2"]))
LEVELS = st.sampled_from(["rw", "ro"])
RULES = st.dictionaries(st.sampled_from(["eve", "bob"]), LEVELS).map(
    lambda levels: tuple(DeclaredRule(to, level=level) for to, level in levels.items())
)
DECLARED = st.builds(
    declared,
    name=NAMES,
    size=st.integers(3, 5),
    description=st.none() | TEXTS,
    is_public=st.none() | st.booleans(),
    metadata=st.none() | METADATA,
    rules=st.none() | RULES,
)


def _existing(each: DeclaredShare, marked: bool) -> Share:
    rules = [
        AccessRule.model_validate(
            {"id": rule.to, "access_to": rule.to, "access_level": rule.level, "access_type": "user"}
        )
        for rule in each.rules or ()
    ]
    return share(
        id=f"id {each.name}",
        name=each.name,
        size=each.size - 2,
        description=each.description,
        is_public=bool(each.is_public),
        metadata={**(each.metadata or {}), **({MARK: "s"} if marked else {})},
        access_rules=tuple(rules),
    )


SHARES = st.lists(DECLARED, max_size=4, unique_by=lambda each: each.name)


@given(
    SHARES,
    SHARES,
    st.booleans(),
    st.booleans(),
)
def test_after_a_plan_is_carried_out_the_next_plan_is_empty(
    there: list[DeclaredShare], wanted: list[DeclaredShare], marked: bool, prune: bool
) -> None:
    now = [_existing(each, marked) for each in there]

    steps = plan(now, wanted, "s", prune=prune)
    after = carried_out(now, steps)

    assert "refuse" not in actions(steps)
    assert plan(after, wanted, "s", prune=prune) == []
