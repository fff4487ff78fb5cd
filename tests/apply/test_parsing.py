"""Reading and checking files: what is declared, what is ignored, what is refused."""

from __future__ import annotations

import pytest

from share_actors import InvalidRequest
from share_actors.cli.apply.declared import DeclaredRule
from share_actors.cli.apply.parsing import Parsed, parse
from share_actors.cli.apply.reading import documents


def parsed(text: str) -> Parsed:
    return parse(documents(text), "default")


def test_documents_of_yaml_declare_shares() -> None:
    first, second = parsed(
        "kind: share\nname: a\nsize: 1\nprotocol: NFS\nbackend: dummy\nmetadata: {team: web}\n"
        "rules:\n- {to: alice, level: ro}\n---\nname: b\nsize: 2\n---\n"
    ).shares

    assert first.fixed == {"share_proto": "NFS", "host": "dummy"}
    assert first.metadata == {"team": "web"}
    assert first.rules == (DeclaredRule("alice", "user", "ro"),)
    assert (second.name, second.size, second.rules, second.metadata) == ("b", 2, None, None)


def test_a_list_of_shares_in_json_is_read_as_well() -> None:
    shares = parsed('{"shares": [{"name": "a", "size": 1}, {"name": "b", "size": 1}]}').shares

    assert [share.where for share in shares] == ["document 1, share 1", "document 1, share 2"]


@pytest.mark.parametrize(
    ("text", "field", "told"),
    [
        ("name: a", "size", "document 1: size: is missing: None"),
        ("size: 1", "name", "shares are matched by their names"),
        ("name: a\nsize: '1'", "size", "is not a whole number of GiB, at least 1: '1'"),
        ("name: a\nsize: true", "size", "is not a whole number of GiB, at least 1: True"),
        ("name: 7\nsize: 1", "name", "is not a text: write it in quotes: 7"),
        (
            "name: a\nsize: 1\ncolour: red",
            "colour",
            "unknown field; there are availability_zone, backend",
        ),
        ("name: a\nsize: 1\nkind: pod", "kind", "is not share"),
        ("name: a\nsize: 1\nproject_id: other", "project_id", "is not the project of your"),
        ("name: a\nsize: 1\nmetadata: {floor: 2}", "metadata.floor", "write it in quotes: 2"),
        ("name: a\nsize: 1\nmetadata: x", "metadata", "is not a mapping"),
        ("name: a\nsize: 1\nis_public: 1", "is_public", "is not true or false: 1"),
        ("name: a\nsize: 1\nrules: x", "rules", "is not a list"),
        ("name: a\nsize: 1\nrules: [{}]", "to", "document 1, rule 1: to: is missing"),
        ("name: a\nsize: 1\nrules: [{to: x, who: y}]", "who", "there are type, to, level"),
        ("name: a\nsize: 1\nrules: [{to: x}, {to: x, level: ro}]", "to", "has a rule already"),
        ("name: a\nsize: 1\nhost: x\nbackend: y", "backend", "is the same field as host"),
        ("name: a\nsize: 1\n---\nname: a\nsize: 2", "name", "document 2: name: is the name in doc"),
        (
            "name: a\nname: b\nsize: 1",
            "file",
            "line 2: is not valid YAML or JSON: the field 'name'",
        ),
        ("a: [", "file", "is not valid YAML or JSON: did not find"),
        ("- a", "share", "is not a mapping of fields"),
        ("!!python/object:os.system {}", "file", "could not determine a constructor"),
        ("shares: []\nname: a", "name", "not a field beside a list of shares"),
        ("", "file", "declares no shares"),
        ("x: 2026-13-40", "file", "month must be in 1..12"),
        ("[" * 100_000, "file", "line 1: is nested more than 32 deep"),
        ("name: &a x\nb: *a", "file", "line 2: *a: aliases are not read"),
        ("? [1]\n: 2", "file", "line 1: is not valid YAML or JSON: found unhashable key"),
    ],
)
def test_a_bad_file_is_refused_with_its_document_field_and_value(
    text: str, field: str, told: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parsed(text)

    assert refused.value.field == field
    assert told in refused.value.message


def test_all_bad_documents_are_told_at_once() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parsed("name: a\n---\nname: b\n")

    assert "document 1: size" in refused.value.message
    assert "document 2: size" in refused.value.message
