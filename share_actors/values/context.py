"""The context of a request: user, project and roles."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from share_actors.values.base import Value
from share_actors.values.fields import Name

MAX_ROLES = 64
"""How many roles a request may have."""


class RequestContext(Value):
    """The user and project of a request, and its id (`manila.context.RequestContext`).

    Raises ValueError, with the field, for a text of more than 255 characters or with a control character.
    In a driver's context, also the number of the attempt and its fencing token.
    """

    user_id: Name = "unknown"
    project_id: Name = "default"
    roles: Annotated[tuple[Name, ...], Field(max_length=MAX_ROLES)] = ()
    request_id: Name | None = None
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
