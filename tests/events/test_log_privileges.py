"""A PostgreSQL log used by a role that may not create anything, or lacks privileges."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from share_actors.config import LogSettings
from share_actors.errors import LogError
from share_actors.events.catalog import Catalog
from share_actors.events.log import Log
from share_actors.events.log.lease.lease import Owner
from share_actors.events.log.lease.leased_log import LeaseKeeper
from share_actors.events.log.lease.postgres import PostgresLease
from tests.events.appending import append, ids
from tests.events.postgres import admin

NOWHERE = Path("not-used")
OWNER = Owner("s1", "default", "/home", "here", 1)
GRANTS = """
    GRANT USAGE ON SCHEMA {s} TO {u};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {s} TO {u};
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {s} TO {u}
"""
_roles = count(1)
Clerk = Callable[[str], LogSettings]


@pytest.fixture
def clerk(postgres_settings: LogSettings) -> Clerk:
    """A function that creates a role, runs SQL as the administrator, and returns the role's settings."""
    role = f"clerk{next(_roles)}"

    def new(text: str) -> LogSettings:
        with admin(postgres_settings) as connection:
            connection.execute(f"CREATE ROLE {role} LOGIN".encode())
            named = text.replace("{s}", postgres_settings.schema_name).replace("{u}", role)
            connection.execute(named.encode())
        return postgres_settings.model_copy(update={"user": role})

    return new


def use(settings: LogSettings) -> list[str]:
    """Use the log as a system does, and return the ids of its events."""
    with closing(Log.open(settings, NOWHERE)) as log:
        LeaseKeeper(PostgresLease(settings), OWNER).keep(log)
        append(log, "a", log.version("a"), "x")
        with closing(Catalog.open(log, settings, NOWHERE)) as catalog:
            catalog.catch_up()
        return ids(log.read("a"))


@pytest.mark.parametrize("partitions", [1, 2])
def test_a_role_with_the_rights_to_use_tables_uses_a_log_that_an_administrator_has_created(
    postgres_settings: LogSettings, clerk: Clerk, partitions: int
) -> None:
    number = {"partitions": partitions}
    use(postgres_settings.model_copy(update=number))

    assert use(clerk(GRANTS).model_copy(update=number)) == ["x", "x"]


@pytest.mark.parametrize("partitions", [1, 2])
def test_a_role_with_the_right_to_create_in_its_schema_needs_none_in_the_database(
    clerk: Clerk, partitions: int
) -> None:
    settings = clerk("CREATE SCHEMA {s} AUTHORIZATION {u}")

    assert use(settings.model_copy(update={"partitions": partitions})) == ["x"]


@pytest.mark.parametrize(
    "granted",
    ["", "CREATE SCHEMA {s}", "CREATE SCHEMA {s}; GRANT USAGE ON SCHEMA {s} TO {u}"],
    ids=["no schema", "no usage", "no creation"],
)
def test_a_role_that_may_not_create_the_log_is_told_which_privilege_it_lacks(
    clerk: Clerk, granted: str
) -> None:
    settings = clerk(granted or "SELECT 1")

    with pytest.raises(LogError) as told:
        use(settings)

    assert f"log.user {settings.user} lacks a privilege" in str(told.value)
    assert f"GRANT USAGE, CREATE ON SCHEMA {settings.schema_name}" in str(told.value)
    assert "check that the server runs" not in str(told.value)


def test_a_role_that_may_only_read_the_log_is_told_which_privilege_it_lacks(
    postgres_settings: LogSettings, clerk: Clerk
) -> None:
    use(postgres_settings)
    reads = "GRANT USAGE ON SCHEMA {s} TO {u}; GRANT SELECT ON ALL TABLES IN SCHEMA {s} TO {u}"

    with closing(Log.open(clerk(reads), NOWHERE)) as log:
        with pytest.raises(
            LogError, match=r"GRANT SELECT, INSERT, UPDATE, DELETE.*; nothing was recorded"
        ):
            append(log, "a", 1, "y")
        assert ids(log.read("a")) == ["x"]
