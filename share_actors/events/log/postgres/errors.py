"""Messages for errors of a PostgreSQL log: where it is, what is wrong, and what to do."""

from __future__ import annotations

from eventsourcing.persistence import PersistenceError

from share_actors.config import LogSettings

_NOT_PERMITTED = "42501"
"""The SQLSTATE of a missing privilege, in any language of the server's messages."""


class LayoutChanged(PersistenceError):
    """The tables of the log were replaced: this process has to open it anew."""


def where(settings: LogSettings) -> str:
    """The settings that name the database."""
    return f"log.host {settings.host} log.port {settings.port} log.database {settings.database}"


def explain(settings: LogSettings, error: Exception) -> str:
    """One line about *error*, with where the log is and what to do."""
    message = str(error).strip().partition("\n")[0] or type(error).__name__
    if isinstance(error, LayoutChanged):
        return f"{where(settings)}: {message}"
    if is_not_permitted(error):
        return f"{where(settings)}: {message}: {missing_privileges(settings)}"
    if "disk" in message or "No space" in message:
        advice = "free space on the database's disk, then repeat the request"
    elif "read-only" in message:
        advice = "the server accepts no changes now; repeat the request when it does"
    else:
        advice = "check that the server runs and accepts this user, then repeat the request"
    return f"{where(settings)}: {message}: {advice}"


def explain_reading(settings: LogSettings, error: Exception) -> str:
    """The same for a log that is only read, without where it is."""
    message = str(error).strip().partition("\n")[0] or type(error).__name__
    if not is_not_permitted(error):
        return (
            f"{message}: check that the server runs and accepts this user, then repeat the command"
        )
    schema, user = settings.schema_name, quoted(settings.user)
    return (
        f"{message}: to read, user {settings.user} needs `GRANT USAGE ON SCHEMA {schema} TO {user}` and"
        f" `GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user}`"
    )


def is_not_permitted(error: Exception) -> bool:
    """Whether the server refused a statement because the user lacks a privilege."""
    states = (getattr(each, "sqlstate", None) for each in (error, error.__cause__))
    return _NOT_PERMITTED in states


def missing_privileges(settings: LogSettings) -> str:
    """What an administrator has to run so that the user may create the log, or use one that exists."""
    schema, user = settings.schema_name, quoted(settings.user)
    return (
        f"log.user {settings.user} lacks a privilege in log.schema_name {schema}; have an administrator run"
        f" `CREATE SCHEMA {schema} AUTHORIZATION {user}` or, if the schema exists,"
        f" `GRANT USAGE, CREATE ON SCHEMA {schema} TO {user}`; for tables of another owner also"
        f" `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {user}` and"
        f" `GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {user}`"
    )


def quoted(name: str) -> str:
    """*name* as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
