"""The system and the command line of the tests of requests in bulk."""

from __future__ import annotations

from tests.bulk.conftest import invoke, shared, system, write

__all__ = ["invoke", "shared", "system", "write"]
