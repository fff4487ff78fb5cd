"""The tables and statements of the catalog, in the SQL that SQLite and PostgreSQL share.

Placeholders: `{s}` the prefix of the schema, `{c}` the collation by bytes, `{w}` WITHOUT ROWID where
available, `{n}` the type of a key that numbers the rows, `?` a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

LAYOUT = 9
"""Grows with every change of the tables; one of another layout is dropped once a new one has caught up."""

TABLES = (
    "catalog_shares",
    "catalog_entities",
    "catalog_snapshots",
    "catalog_rules",
    "catalog_commands",
    "catalog_parked",
    "catalog_room",
    "catalog_counts",
    "catalog_uses",
)

CREATE = (
    """CREATE TABLE IF NOT EXISTS {s}catalog_shares (
        id TEXT{c} PRIMARY KEY, name TEXT, status TEXT NOT NULL, project_id TEXT NOT NULL,
        user_id TEXT NOT NULL, backend TEXT NOT NULL, host TEXT NOT NULL, share_proto TEXT NOT NULL,
        size BIGINT NOT NULL, created_at TEXT{c} NOT NULL, version BIGINT NOT NULL,
        position BIGINT NOT NULL, owes INTEGER NOT NULL, is_public INTEGER NOT NULL,
        state TEXT NOT NULL, share_network_id TEXT, source_share_id TEXT, rules BIGINT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS catalog_shares_public"
    " ON {s}catalog_shares (created_at, id) WHERE is_public = 1",
    "CREATE INDEX IF NOT EXISTS catalog_shares_live ON {s}catalog_shares (created_at, id)"
    " WHERE status <> 'deleted'",
    "CREATE INDEX IF NOT EXISTS catalog_shares_status"
    " ON {s}catalog_shares (status, created_at, id)",
    "CREATE INDEX IF NOT EXISTS catalog_shares_name ON {s}catalog_shares (name)",
    "CREATE INDEX IF NOT EXISTS catalog_shares_project"
    " ON {s}catalog_shares (project_id, created_at, id)",
    "CREATE INDEX IF NOT EXISTS catalog_shares_backend"
    " ON {s}catalog_shares (backend, created_at, id)",
    "CREATE INDEX IF NOT EXISTS catalog_shares_network ON {s}catalog_shares (share_network_id)"
    " WHERE share_network_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS catalog_shares_source ON {s}catalog_shares (source_share_id)"
    " WHERE source_share_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS catalog_shares_owing ON {s}catalog_shares (id) WHERE owes = 1",
    """CREATE TABLE IF NOT EXISTS {s}catalog_entities (
        id TEXT{c} PRIMARY KEY, kind TEXT NOT NULL, name TEXT, status TEXT NOT NULL,
        project_id TEXT NOT NULL, parent TEXT, created_at TEXT{c} NOT NULL,
        version BIGINT NOT NULL, position BIGINT NOT NULL, owes INTEGER NOT NULL,
        state TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS catalog_entities_kind"
    " ON {s}catalog_entities (kind, created_at, id)",
    "CREATE INDEX IF NOT EXISTS catalog_entities_owing ON {s}catalog_entities (id) WHERE owes = 1",
    """CREATE TABLE IF NOT EXISTS {s}catalog_snapshots (
        share_id TEXT{c} NOT NULL, id TEXT{c} NOT NULL, name TEXT, status TEXT NOT NULL,
        project_id TEXT NOT NULL, created_at TEXT{c} NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (share_id, id))""",
    "CREATE INDEX IF NOT EXISTS catalog_snapshots_id ON {s}catalog_snapshots (id)",
    "CREATE INDEX IF NOT EXISTS catalog_snapshots_time"
    " ON {s}catalog_snapshots (created_at, share_id, id)",
    """CREATE TABLE IF NOT EXISTS {s}catalog_rules (
        n {n} PRIMARY KEY, share_id TEXT{c} NOT NULL, id TEXT{c} NOT NULL, state TEXT NOT NULL,
        value TEXT NOT NULL, sets TEXT NOT NULL, UNIQUE (share_id, id))""",
    "CREATE INDEX IF NOT EXISTS catalog_rules_id ON {s}catalog_rules (id)",
    """CREATE TABLE IF NOT EXISTS {s}catalog_commands (
        command_id TEXT{c} NOT NULL, project_id TEXT{c} NOT NULL, share_id TEXT{c} NOT NULL,
        PRIMARY KEY (command_id, project_id, share_id)) {w}""",
    """CREATE TABLE IF NOT EXISTS {s}catalog_parked (
        stream TEXT{c} PRIMARY KEY, version BIGINT NOT NULL, position BIGINT NOT NULL,
        error TEXT NOT NULL, last_version BIGINT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS {s}catalog_room (
        host TEXT{c} PRIMARY KEY, provisioned BIGINT NOT NULL, consumed BIGINT NOT NULL,
        settled BIGINT NOT NULL, unsized BIGINT NOT NULL, returned BIGINT NOT NULL,
        unsettled BIGINT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS {s}catalog_counts (
        status TEXT{c} NOT NULL, project_id TEXT{c} NOT NULL, backend TEXT{c} NOT NULL,
        is_public INTEGER NOT NULL, n BIGINT NOT NULL,
        PRIMARY KEY (project_id, status, backend, is_public)) {w}""",
    """CREATE TABLE IF NOT EXISTS {s}catalog_uses (
        project_id TEXT{c} NOT NULL, user_id TEXT{c} NOT NULL, share_type TEXT{c} NOT NULL,
        shares BIGINT NOT NULL, gigabytes BIGINT NOT NULL, snapshots BIGINT NOT NULL,
        snapshot_gigabytes BIGINT NOT NULL, share_networks BIGINT NOT NULL, managing BIGINT NOT NULL,
        PRIMARY KEY (project_id, user_id, share_type)) {w}""",
)
CREATE_LAYOUT = (
    "CREATE TABLE IF NOT EXISTS {s}catalog_layout (layout TEXT NOT NULL, epoch TEXT NOT NULL)"
)

# A share's name, project, publicity and backend hardly ever change (`MOVE_SHARE`); leaving them out avoids
# updates of their indexes.
PUT_SHARE = (
    "INSERT INTO {s}catalog_shares VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE"
    " SET status = excluded.status, host = excluded.host, size = excluded.size,"
    " version = excluded.version,"
    " position = excluded.position, owes = excluded.owes, state = excluded.state,"
    " source_share_id = excluded.source_share_id, rules = excluded.rules"
)
MOVE_SHARE = (
    "UPDATE {s}catalog_shares SET name = ?, project_id = ?, user_id = ?, backend = ?,"
    " share_proto = ?, created_at = ?, is_public = ?, share_network_id = ? WHERE id = ?"
)
"""For a share whose backend was renamed, or that is managed again."""
PUT_SNAPSHOT = (
    "INSERT INTO {s}catalog_snapshots VALUES (?,?,?,?,?,?,?) ON CONFLICT (share_id, id) DO UPDATE"
    " SET name = excluded.name, status = excluded.status, created_at = excluded.created_at,"
    " value = excluded.value"
)
PUT_ENTITY = (
    "INSERT INTO {s}catalog_entities VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE"
    " SET name = excluded.name, status = excluded.status, parent = excluded.parent,"
    " version = excluded.version, position = excluded.position, owes = excluded.owes,"
    " state = excluded.state"
)
DROP_SNAPSHOT = "DELETE FROM {s}catalog_snapshots WHERE share_id = ? AND id = ?"
PUT_RULE = (
    "INSERT INTO {s}catalog_rules (share_id, id, state, value, sets) VALUES (?,?,?,?,?)"
    " ON CONFLICT (share_id, id) DO UPDATE"
    " SET state = excluded.state, value = excluded.value, sets = excluded.sets"
)
DROP_RULE = "DELETE FROM {s}catalog_rules WHERE share_id = ? AND id = ?"
PUT_COMMAND = "INSERT INTO {s}catalog_commands VALUES (?,?,?) ON CONFLICT DO NOTHING"
PUT_PARKED = (
    "INSERT INTO {s}catalog_parked VALUES (?,?,?,?,?) ON CONFLICT (stream) DO UPDATE"
    " SET version = excluded.version, position = excluded.position, error = excluded.error,"
    " last_version = excluded.last_version"
)
ADD_ROOM = (
    "INSERT INTO {s}catalog_room VALUES (?,?,?,?,?,?,?) ON CONFLICT (host) DO UPDATE"
    " SET provisioned = catalog_room.provisioned + excluded.provisioned,"
    " consumed = catalog_room.consumed + excluded.consumed,"
    " settled = catalog_room.settled + excluded.settled,"
    " unsized = catalog_room.unsized + excluded.unsized,"
    " returned = catalog_room.returned + excluded.returned,"
    " unsettled = catalog_room.unsettled + excluded.unsettled"
)
ADD_COUNT = (
    "INSERT INTO {s}catalog_counts VALUES (?,?,?,?,?)"
    " ON CONFLICT (project_id, status, backend, is_public) DO UPDATE"
    " SET n = catalog_counts.n + excluded.n"
)
ADD_USE = (
    "INSERT INTO {s}catalog_uses VALUES (?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT (project_id, user_id, share_type) DO UPDATE"
    " SET shares = catalog_uses.shares + excluded.shares,"
    " gigabytes = catalog_uses.gigabytes + excluded.gigabytes,"
    " snapshots = catalog_uses.snapshots + excluded.snapshots,"
    " snapshot_gigabytes = catalog_uses.snapshot_gigabytes + excluded.snapshot_gigabytes,"
    " share_networks = catalog_uses.share_networks + excluded.share_networks,"
    " managing = catalog_uses.managing + excluded.managing"
)
DROP_PARKED = "DELETE FROM {s}catalog_parked WHERE stream = ?"

STATES = "SELECT id, version, position, state, rules FROM {s}catalog_shares WHERE id IN ({marks})"
ENTITY_STATES = "SELECT id, version, position, state FROM {s}catalog_entities WHERE id IN ({marks})"
RULES_OF = (
    "SELECT share_id, value, sets FROM {s}catalog_rules WHERE share_id IN ({marks}) ORDER BY n"
)
USES = "SELECT * FROM {s}catalog_uses WHERE project_id = ?"
LIMITED = "SELECT 1 FROM {s}catalog_entities WHERE kind = 'quota' AND status = 'active' LIMIT 1"
ROOM = "SELECT * FROM {s}catalog_room"
ON_NETWORK = (
    "SELECT id FROM {s}catalog_shares WHERE share_network_id = ?"
    " AND status NOT IN ('deleted', 'unmanaged') ORDER BY id LIMIT ?"
)
COPIES = "SELECT id, version, position, state FROM {s}catalog_shares WHERE source_share_id = ? ORDER BY id"
COMMAND = (
    "SELECT DISTINCT share_id FROM {s}catalog_commands WHERE command_id = ?{and}"
    " ORDER BY share_id LIMIT ?"
)
HAS_COMMAND = "SELECT 1 FROM {s}catalog_commands WHERE command_id = ? AND share_id = ? LIMIT 1"
PARKED = "SELECT * FROM {s}catalog_parked ORDER BY stream"
OWING = (
    "SELECT id FROM (SELECT id FROM {s}catalog_shares WHERE owes = 1 AND id > ?"
    " UNION ALL SELECT id FROM {s}catalog_entities WHERE owes = 1 AND id > ?) AS owing"
    " ORDER BY id LIMIT ?"
)


Filters = Mapping[str, str | int | None]
"""The values that columns must have; None: any."""


class Query(NamedTuple):
    """A statement and its parameters."""

    text: str
    values: list[Any]


class Table(NamedTuple):
    """A table to list: its columns, the order of pages, and the statuses excluded unless requested.

    *own* is the condition for the rows of one project. *sought*: a column of which few rows have the same
    value, so that a search by it uses its index, whatever other conditions there are.
    """

    name: str
    columns: str
    order: tuple[str, ...]
    kind: str
    hidden: tuple[str, ...] = ()
    own: str = "project_id = ?"
    sought: str = ""


SHARES = Table(
    "catalog_shares",
    "state, rules",
    ("created_at", "id"),
    "status",
    ("deleted", "unmanaged"),
    sought="name",
)
SHARE_COUNTS = Table("catalog_counts", "n", (), "status", ("deleted", "unmanaged"))
"""The running numbers of shares, by the columns that they may be counted by, except their names."""
ENTITIES = Table(
    "catalog_entities",
    "state",
    ("created_at", "id"),
    "status",
    ("deleted", "absent", "unmanaged"),
)
SNAPSHOTS = Table("catalog_snapshots", "value", ("created_at", "share_id", "id"), "status")
RULES = Table(
    "catalog_rules",
    "value",
    ("share_id", "id"),
    "state",
    own="share_id IN (SELECT id FROM {s}catalog_shares WHERE project_id = ?)",
)


class Scope(NamedTuple):
    """The rows that a caller may read: those that fulfil *condition*; all if it is empty."""

    condition: str = ""
    values: tuple[str, ...] = ()


EVERYTHING, NOTHING = Scope(), Scope("1 = 0")


def own_rows(table: Table, project: str, *, or_public: bool = False) -> Scope:
    """The rows of *project*, and of shares also those that are public."""
    return Scope(f"({table.own} OR is_public = 1)" if or_public else table.own, (project,))


def page(
    table: Table,
    filters: Filters,
    after: Sequence[str],
    limit: int,
    scope: Scope = EVERYTHING,
) -> Query:
    """Select the rows after *after*, and one more than *limit* to find out whether another page follows."""
    where, values = _where(table, filters, scope)
    order = ", ".join(table.order)
    if after:
        where.append(f"({order}) > ({_marks(len(after))})")
        values += after
    text = f"SELECT {order}, {table.columns} FROM {{s}}{table.name}"
    return Query(f"{text}{_and(where)} ORDER BY {order} LIMIT ?", [*values, limit + 1])


def count(table: Table, filters: Filters, scope: Scope = EVERYTHING) -> Query:
    """Count the rows of each status."""
    where, values = _where(table, filters, scope)
    number = "SUM(n)" if table is SHARE_COUNTS else "COUNT(*)"
    text = f"SELECT {table.kind} AS kind, {number} AS n FROM {{s}}{table.name}{_and(where)}"
    return Query(f"{text} GROUP BY {table.kind} HAVING {number} <> 0 ORDER BY {table.kind}", values)


def states(ids: Sequence[str]) -> Query:
    """Select the states of these shares."""
    return Query(STATES.replace("{marks}", _marks(len(ids))), list(ids))


def rules_of(share_ids: Sequence[str]) -> Query:
    """Select the access rules of these shares, those of each share in their order."""
    return Query(RULES_OF.replace("{marks}", _marks(len(share_ids))), list(share_ids))


def entity_states(ids: Sequence[str]) -> Query:
    """Select the states of other entities, by address."""
    return Query(ENTITY_STATES.replace("{marks}", _marks(len(ids))), list(ids))


def find(table: Table, item_id: str, scope: Scope = EVERYTHING) -> Query:
    """Select the rows with this id: one, unless several shares have an item of this id."""
    text = f"SELECT {', '.join(table.order)}, {table.columns} FROM {{s}}{table.name}"
    where = ["id = ?", scope.condition] if scope.condition else ["id = ?"]
    values = [item_id, *scope.values]
    return Query(f"{text}{_and(where)} ORDER BY {', '.join(table.order)}", values)


def command(command_id: str, project: str | None, limit: int) -> Query:
    """Select the shares with a request of this command id, of one project or of any."""
    of_project = "" if project is None else " AND project_id = ?"
    values = [command_id, *([] if project is None else [project]), limit]
    return Query(COMMAND.replace("{and}", of_project), values)


def _where(table: Table, filters: Filters, scope: Scope) -> tuple[list[str], list[Any]]:
    given = {column: value for column, value in filters.items() if value is not None}
    where = [f"{column} = ?" for column in given]
    if table.kind not in given:
        where += [f"{table.kind} <> '{hidden}'" for hidden in table.hidden]
    if scope.condition:
        where.append(scope.condition)
    if table.sought in given:
        where = [
            c if c == f"{table.sought} = ?" else f"CASE WHEN {c} THEN 1 END = 1" for c in where
        ]
    return where, [*given.values(), *scope.values]


def _and(where: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(where)}" if where else ""


def _marks(n: int) -> str:
    return ", ".join("?" * n)
