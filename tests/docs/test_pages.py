"""Checks of pages without running them: commands, configuration, links."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from share_actors import config
from share_actors.drivers import known_drivers, make_driver
from tests.docs import shell
from tests.docs.pages import ROOT, Block, commands, named, of, pages, spans

LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
PAGES = pytest.mark.parametrize("page", pages(), ids=named)


def calls(page: Path) -> list[list[str]]:
    """The arguments of every call of the program in blocks and text of *page*."""
    typed = [c.command for block in of(page, "console", "sh") for c in commands(block)]
    return [given for line in [*typed, *spans(page)] for given in shell.calls(line)]


@PAGES
def test_every_command_that_a_page_shows_exists_with_its_options(page: Path) -> None:
    for given in calls(page):
        shell.check(given)


def test_commands_and_options_that_do_not_exist_are_reported() -> None:
    for line in ("share-actors share destroy", "x=$(share-actors share create --sizes 1); date"):
        [given] = shell.calls(line)

        with pytest.raises(Exception, match=r"No such (command|option)"):
            shell.check(given)


@PAGES
def test_every_configuration_that_a_page_shows_can_be_loaded(page: Path) -> None:
    for block in of(page, "toml"):
        settings = tomllib.loads(block.text)
        if "project" in settings:
            continue  # a driver's own project file

        check_drivers(config.build(settings), block)


def check_drivers(loaded: config.Config, block: Block) -> None:
    for name, backend in loaded.backends.items():
        if backend.driver in known_drivers():
            make_driver(
                name,
                backend.driver,
                backend.options,
                handles_servers=backend.driver_handles_share_servers,
            )
        else:
            assert block.file == "site.toml", f"line {block.line}: driver {backend.driver!r}"


@PAGES
def test_every_link_leads_somewhere(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))

    for path, anchor in LINK.findall(text):
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{named(page)}: {path}"
        assert not anchor or anchor in anchors(target), f"{named(page)}: {path}#{anchor}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}


def test_every_page_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / path).resolve() for path, _ in LINK.findall(index.read_text())}

    assert set(pages()) <= linked | {index}


def test_files_that_the_design_names_exist() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

    for path in re.findall(r"`((?:share_actors|drivers|events|actors)/[\w/]+\.py)`", text):
        at_root = path if path.startswith("share_actors/") else f"share_actors/{path}"
        assert (ROOT / at_root).is_file(), path


def test_functions_that_the_design_follows_are_in_their_files() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

    for path, functions in re.findall(r"^\| `(share_actors/[\w/]+\.py)` \| ([^|]+) \|", text, re.M):
        source = (ROOT / path).read_text(encoding="utf-8")
        for name in re.findall(r"`(?:\w+\.)?(\w+)`", functions):
            assert re.search(rf"def {name}\(", source), f"{path}: {name}"
