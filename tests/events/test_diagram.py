"""The pictures in docs/states.md are what the code does."""

from pathlib import Path

from tests.docs.state_diagram import Edge, explore, main, mermaid, render

PAGE = Path(__file__).parents[2] / "docs" / "states.md"


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert render(page) == page, "run: python -m tests.docs.state_diagram"


def test_writing_the_page_draws_what_is_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "states.md"
    page.write_text("before\n<!-- rule: generated -->\nold\n<!-- rule: end -->\nafter\n")

    main(page)

    drawn = page.read_text()
    assert drawn.startswith("before\n<!-- rule: generated -->\n```mermaid\nstateDiagram-v2\n")
    assert drawn.endswith("```\n<!-- rule: end -->\nafter\n")
    assert "old" not in drawn


def test_what_is_gone_is_all_that_has_no_way_out() -> None:
    edges = [edge for edge in explore() if edge.of == "share"]

    ends = {edge.after for edge in edges} - {edge.before for edge in edges}
    assert ends == {"deleted", "unmanaged"}


def test_events_that_lead_the_same_way_share_an_arrow() -> None:
    edges = frozenset({Edge("rule", "a", "b", "Two"), Edge("rule", "a", "b", "One")})

    assert "    a --> b: One, Two" in mermaid(edges, "rule").splitlines()
