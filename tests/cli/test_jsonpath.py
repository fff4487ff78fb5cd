"""`-o jsonpath=EXPRESSION`: what kubectl's templates give, and errors that say what is wrong."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.cli.output.jsonpath import template
from share_actors.errors import InvalidRequest

DOCUMENT = {
    "shares": [
        {"id": "a", "name": "homes", "size": 10, "public": False, "tags": ["x", "y"]},
        {"id": "b", "name": "a {brace}", "size": 2, "status": "error", "none": None},
    ],
    "next-marker": None,
}


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("{.shares[*].id}", "a b"),
        (".shares[*].id", "a b"),
        ("shares[0].id", "a"),
        ("{$.shares[-1].name}", "a {brace}"),
        ("{.shares[0].size} GiB", "10 GiB"),
        ('{range .shares[*]}{.id}{"\\t"}{.size}{"\\n"}{end}', "a\t10\nb\t2\n"),
        ("{range .shares[*]}{range .tags[*]}{@}{end}/{end}", "xy//"),
        ("{range .shares[*]}{$['next-marker']}{.id},{end}", "a,b,"),
        ('{.shares[?(@.status=="error")].id}', "b"),
        ("{.shares[?@.name=='a {brace}'].id}", "b"),
        ("{.shares[0].public}", "false"),
        ("{.shares[0].tags}", '["x", "y"]'),
        ("{.shares[1].none}{.missing}", ""),
        ("{..id}", "a b"),
        ("{'a\\'b'}", "a'b"),
        ("{@.shares[1]['id','size']}", "b 2"),
    ],
)
def test_an_expression_gives_what_is_at_its_paths(expression: str, text: str) -> None:
    assert template(expression)(DOCUMENT) == text


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("", "is empty"),
        ("{.shares[*].id", "a brace without its end"),
        ("{.shares[}", "is not valid at '.shares['"),
        ("{range .shares[*]}{.id}", "a {range} without an {end}"),
        ("{.id}{end}", "an {end} without a {range}"),
        ("{.shares[?(@.a==)]}", "is not valid"),
        ('{"unclosed}', "a brace without its end"),
        ("{}{", "a brace without its end"),
    ],
)
def test_a_bad_expression_is_refused_with_what_is_wrong_and_an_example(
    expression: str, why: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        template(expression)

    assert caught.value.field == "output"
    assert caught.value.value == f"jsonpath={expression}"
    assert why in caught.value.message
    assert "{.shares[*].id}" in caught.value.message


@given(st.text("{}[]().$@*?'\"\\ab0-:, range end"))
def test_any_expression_gives_a_text_or_is_refused(expression: str) -> None:
    with suppress(InvalidRequest):
        assert isinstance(template(expression)(DOCUMENT), str)
