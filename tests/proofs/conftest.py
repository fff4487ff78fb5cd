"""PostgreSQL logs for proofs."""

from __future__ import annotations

from tests.events.conftest import postgres_server, postgres_settings

__all__ = ["postgres_server", "postgres_settings"]
