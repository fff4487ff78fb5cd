"""How handles show themselves in an interactive session: what they are, and the names that they have."""

from __future__ import annotations

from collections.abc import Iterable

from share_actors.values import RequestContext


class Shown:
    """A handle whose `dir()`, and so completion in a shell, has its public names alone."""

    def __dir__(self) -> Iterable[str]:
        return [name for name in super().__dir__() if not name.startswith("_")]


def caller_text(context: RequestContext) -> str:
    """On whose behalf a handle makes requests: `alice of project web`."""
    admin = ", administrator of the system" if context.is_admin else ""
    return f"{context.user_id} of project {context.project_id}{admin}"
