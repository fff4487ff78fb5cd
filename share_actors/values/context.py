"""Who asks: Manila's request context."""

from __future__ import annotations

from share_actors.values.base import Value


class RequestContext(Value):
    """Who asks, and on behalf of which request (`manila.context.RequestContext`).

    A driver also finds here the number of the attempt and its fencing token.
    """

    user_id: str = "unknown"
    project_id: str = "default"
    roles: tuple[str, ...] = ()
    request_id: str | None = None
    attempt: int = 0
    token: str = ""

    @property
    def fence(self) -> int:
        """The number in the token: later attempts on one share have greater ones, whoever makes them.

        A backend that remembers the greatest it saw of a share can refuse a call that was overtaken.
        """
        return int(self.token.rpartition(":")[2] or 0)
