"""The URL of a PostgreSQL log, as options and arguments of commands name it."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, unquote, urlsplit

from pydantic import ValidationError

from share_actors.config import LogSettings
from share_actors.errors import ConfigError
from share_actors.redaction import without_url_passwords


def settings_of(url: str, settings: LogSettings) -> LogSettings:
    """The settings of the log at *url*, with the cipher key of *settings*; raises `ConfigError`.

    `postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME`; `?host=DIRECTORY` is a Unix socket.
    """
    try:
        return _parsed(url, settings)
    except (ValueError, ValidationError, ConfigError) as error:
        shown = without_url_passwords(url)
        reason = error.message if isinstance(error, ConfigError) else str(error).splitlines()[0]
        raise ConfigError(
            f"log: {shown} is not postgresql://USER@HOST/DATABASE?schema=NAME: {reason}",
            field="log",
            value=shown,
        ) from None


def _parsed(url: str, settings: LogSettings) -> LogSettings:
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError(f"its scheme is {parts.scheme}")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if unknown := sorted(query.keys() - {"host", "schema"}):
        raise ValueError(f"{unknown[0]} is not a known parameter")
    given = {
        "host": query.get("host") or parts.hostname,
        "port": parts.port,
        "database": unquote(parts.path.strip("/")),
        "user": parts.username and unquote(parts.username),
        "password": parts.password and unquote(parts.password),
        "schema_name": query.get("schema"),
    }
    fields = {name: value for name, value in given.items() if value}
    return LogSettings(kind="postgresql", cipher_key=settings.cipher_key, **fields)


def url_of(settings: LogSettings) -> str:
    """The URL of the log of *settings*, without its password."""
    is_socket = settings.host.startswith("/")
    place = "" if is_socket else f"{settings.host}:{settings.port}"
    query = f"host={settings.host}&" if is_socket else ""
    user, database = quote(settings.user, safe=""), quote(settings.database, safe="")
    return f"postgresql://{user}@{place}/{database}?{query}schema={settings.schema_name}"
