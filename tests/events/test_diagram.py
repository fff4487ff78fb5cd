"""The state diagrams in docs/states.md are generated from the code."""

from pathlib import Path

from tests.docs.state_diagram import Edge, explore, main, mermaid, render

PAGE = Path(__file__).parents[2] / "docs" / "states.md"


def test_the_page_of_state_diagrams_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert render(page) == page, "run: python -m tests.docs.state_diagram"


def test_writing_the_page_replaces_the_text_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "states.md"
    page.write_text("before\n<!-- rule: generated -->\nold\n<!-- rule: end -->\nafter\n")

    main(page)

    drawn = page.read_text()
    assert drawn.startswith("before\n<!-- rule: generated -->\n```mermaid\nstateDiagram-v2\n")
    assert drawn.endswith("```\n<!-- rule: end -->\nafter\n")
    assert "old" not in drawn


def test_only_deleted_shares_have_no_further_transition_and_unmanaged_ones_return() -> None:
    edges = [edge for edge in explore() if edge.of == "share"]

    ends = {edge.after for edge in edges} - {edge.before for edge in edges}
    assert ends == {"deleted"}
    assert {e.after for e in edges if e.before == "unmanaged"} == {"deleting", "manage_starting"}


def test_events_with_the_same_transition_share_an_arrow() -> None:
    edges = frozenset({Edge("rule", "a", "b", "Two"), Edge("rule", "a", "b", "One")})

    assert "    a --> b: One, Two" in mermaid(edges, "rule").splitlines()
