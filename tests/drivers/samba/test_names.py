"""Names and paths that could change the meaning of smb.conf are refused, with the value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from share_actors.drivers import DriverError
from share_actors.drivers.samba import Samba, SambaSettings
from share_actors.drivers.samba.config import difference, rendered, served
from share_actors.drivers.samba.exports import Export
from share_actors.drivers.samba.names import check_export, check_path, check_user

SETTINGS = SambaSettings(directory=Path("/srv/smb"))
BAD = [
    "",
    "a\nb",
    "a\r",
    "a]",
    "[a",
    "a%u",
    "a b",
    "é",
    "a\0",
    "a/b",
    "a\\b",
    "a;b",
    "-a",
    "@a",
    "+a",
]


@pytest.fixture
def samba(directory: Path) -> Samba:
    return Samba(SambaSettings(directory=directory / "smb"))


@pytest.mark.parametrize("name", [*BAD, "global", "HOMES", "printers", "IPC$", "a" * 81])
def test_a_bad_name_of_an_export_is_refused_and_shown(samba: Samba, name: str) -> None:
    calls: tuple[Callable[[], object], ...] = (
        lambda: samba.export(name, Path("/srv"), {}),
        lambda: samba.remove(name),
    )
    for call in calls:
        with pytest.raises(DriverError) as raised:
            call()

        assert repr(name) in str(raised.value)
    assert samba.export_names() == frozenset()


@pytest.mark.parametrize("user", [*BAD, "root", "nobody", "Alice", "s-1-5-32-544", "a" * 33, "a,b"])
def test_a_bad_name_of_a_user_is_refused_and_shown(samba: Samba, user: str) -> None:
    for call in (
        lambda: samba.export("one", Path("/srv"), {"alice": "rw", user: "rw"}),
        lambda: samba.set_user(user, "secret"),
        lambda: samba.remove_user(user),
    ):
        with pytest.raises(DriverError) as raised:
            call()

        assert repr(user) in str(raised.value)
    assert (samba.export_names(), samba.users()) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    "path", ["srv", "/srv/..", "/srv/%u", "/srv\n", "/srv/a\\", '/srv/"a"', "/srv/a ", "/\udc80"]
)
def test_a_bad_path_is_refused_and_shown(samba: Samba, path: str) -> None:
    with pytest.raises(DriverError) as raised:
        samba.export("one", Path(path), {})

    assert repr(str(Path(path))) in str(raised.value)


def test_a_level_that_does_not_exist_is_refused_and_shown(samba: Samba) -> None:
    with pytest.raises(DriverError, match=r"export one.users.alice 'all'"):
        samba.export("one", Path("/srv"), {"alice": "all"})


@pytest.mark.parametrize(
    "field",
    [
        {"directory": "smb"},
        {"directory": "/srv/%u"},
        {"directory": "/" + "a" * 72},
        {"address": "0.0.0.0"},
        {"address": "fe80::1%eth0"},
        {"address": "localhost"},
        {"port": 0},
        {"network_namespace": "../a"},
        {"workgroup": "A\nB"},
        {"other": 1},
    ],
)
def test_bad_settings_are_refused(field: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        SambaSettings.model_validate({"directory": "/srv/smb", **field})


def accepted(check: Any) -> Any:
    """Texts that *check* accepts, mostly of characters that smb.conf treats in its own way."""

    def passes(text: str) -> bool:
        try:
            check(text)
        except ValueError:
            return False
        return True

    return st.text(st.sampled_from('aZ09_.-%[]=;#\n\r \t\\"@+&é$/')).filter(passes)


PATHS = accepted(lambda text: check_path(f"/srv/{text}")).map(
    lambda text: check_path(f"/srv/{text}")
)
USERS = st.dictionaries(accepted(check_user), st.sampled_from(["rw", "ro"]), max_size=3)


@pytest.mark.parametrize("path", ["/srv/ ", "/srv/ /", " /srv", "/srv/a/. /"])
def test_a_path_that_ends_with_a_blank_is_refused_also_before_a_slash(path: str) -> None:
    with pytest.raises(ValueError, match=r"blanks at its end|must be an absolute path"):
        check_path(path)


@example({"a": ("/srv/ a", {})})
@given(st.dictionaries(accepted(check_export), st.tuples(PATHS, USERS), max_size=3))
def test_what_is_accepted_is_read_back_as_it_was_rendered(
    exports: dict[str, tuple[str, dict[str, Any]]],
) -> None:
    expected = {name: Export(path=path, users=users) for name, (path, users) in exports.items()}

    assert difference(expected, served(rendered(SETTINGS, expected))) is None
