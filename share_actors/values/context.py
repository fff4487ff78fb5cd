"""The context of a request: user, project and roles."""

from __future__ import annotations

from share_actors.values.base import Value


class RequestContext(Value):
    """The user and project of a request, and its id (`manila.context.RequestContext`).

    In a driver's context, also the number of the attempt and its fencing token.
    """

    user_id: str = "unknown"
    project_id: str = "default"
    roles: tuple[str, ...] = ()
    request_id: str | None = None
    attempt: int = 0
    token: str = ""

    @property
    def fence(self) -> int:
        """The number in the token, which grows with every attempt on one share, whichever process makes it.

        A driver that stores the greatest number it obeyed for a share can refuse an outdated call. 0 for a
        token without a number.
        """
        number = self.token.rpartition(":")[2]
        return int(number) if number.isdecimal() else 0
