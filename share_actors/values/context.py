"""The context of a request: user, project and roles."""

from __future__ import annotations

import math
import time
from typing import Annotated

from pydantic import Field

from share_actors.values.base import Value
from share_actors.values.checks.fields import Name

MAX_ROLES = 64
"""How many roles a request may have."""


class RequestContext(Value):
    """The user and project of a request, and its id (`manila.context.RequestContext`).

    `roles` are those of the user in the project; `is_admin` says that the user administers the whole
    system. Whoever sends a context is believed; see `share_actors.policy` for what each may do. In a driver's
    context, also the number of the attempt, its fencing token and its deadline. Raises ValueError, with the
    field, for a text of more than 255 characters or with a control character.
    """

    user_id: Name = "unknown"
    project_id: Name = "default"
    roles: Annotated[tuple[Name, ...], Field(max_length=MAX_ROLES)] = ()
    request_id: Name | None = None
    attempt: int = 0
    token: str = ""
    deadline: float = 0.0
    """When the attempt is given up, by `time.monotonic()` of this machine, in seconds; 0: never."""
    is_admin: bool = False

    @property
    def fence(self) -> int:
        """The number in the token, which grows with every attempt on one share, whichever process makes it.

        A driver that stores the greatest number it obeyed for a share can refuse an outdated call. 0 for a
        token without a number.
        """
        number = self.token.rpartition(":")[2]
        return int(number) if number.isdecimal() else 0

    @property
    def remaining_s(self) -> float:
        """The seconds until the attempt is given up: negative after that, infinite without a deadline."""
        return self.deadline - time.monotonic() if self.deadline else math.inf

    def ending_in(self, seconds: float) -> RequestContext:
        """This context with a deadline that many *seconds* from now."""
        return self.replace(deadline=time.monotonic() + seconds)

    def elevated(self) -> RequestContext:
        """This context with the rights of the system's administrator, for work of the system itself."""
        return self if self.is_admin else self.replace(is_admin=True)


SYSTEM_USER = "share-actors"
"""The user of requests and events of the system itself."""
SYSTEM_CONTEXT = RequestContext(user_id=SYSTEM_USER, project_id="")
OPERATOR = RequestContext(is_admin=True)
"""The context of a caller who gives none: the operator, who has access to the system's processes."""
