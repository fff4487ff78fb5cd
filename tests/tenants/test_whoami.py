"""`share-actors whoami`, and the context that the command line sends."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path

import pytest

from share_actors.cli.session import Options, Session
from share_actors.client.system import default_context
from share_actors.values import RequestContext
from tests.command_tree import invoke


@pytest.fixture(autouse=True)
def _no_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SHARE_ACTORS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHARE_ACTORS_HOME", str(tmp_path))


def test_the_local_operator_is_the_administrator_and_says_so() -> None:
    text = invoke(["whoami"]).stdout
    document = json.loads(invoke(["whoami", "--json"]).stdout)

    assert "system admin" in text
    assert "see and change everything, in every project" in text
    assert document == {
        "user_id": getpass.getuser(),
        "project_id": "default",
        "roles": [],
        "is_admin": True,
        "role": "system admin",
        "may": "see and change everything, in every project",
    }


@pytest.mark.parametrize(
    ("options", "context"),
    [
        ({}, RequestContext(user_id="u", is_admin=True)),
        ({"project": "web"}, RequestContext(user_id="u", project_id="web")),
        ({"role": "reader"}, RequestContext(user_id="u", roles=("reader",))),
        (
            {"project": "web", "role": "member"},
            RequestContext(user_id="u", project_id="web", roles=("member",)),
        ),
        (
            {"project": "web", "role": "system-admin"},
            RequestContext(user_id="u", project_id="web", is_admin=True),
        ),
    ],
)
def test_with_a_project_or_a_role_the_command_line_acts_for_that_project_alone(
    options: dict[str, str], context: RequestContext
) -> None:
    assert Session(Options(user="u").replace(**options)).context == context


def test_an_unknown_role_is_refused_with_those_that_there_are() -> None:
    result = invoke(["--role", "god", "whoami", "--json"])

    assert result.exit_code == 3
    error = json.loads(result.stdout)["error"]
    assert error["message"] == "--role: 'god' is not one of reader, member, admin, system-admin"


def test_the_client_is_the_operators_unless_it_is_given_a_context() -> None:
    assert default_context() == RequestContext(user_id=getpass.getuser(), is_admin=True)
