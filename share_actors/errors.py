"""The errors of this package; each has a stable code and exit code."""

from __future__ import annotations

from typing import Any, ClassVar, Self

NOT_RECORDED = "; nothing was recorded"
"""The end of a message about one try of a request, which says nothing about earlier tries; see `reason`."""
MAX_SHOWN = 120
"""The most characters of an invalid value that a message shows."""


MAX_TOLD = 65_536
"""The most characters of an invalid value (as `repr`) that an error holds."""


def showable(value: object) -> Any:
    """*value*, or a description of one that is too large for an error or that cannot be printed."""
    try:
        size = len(repr(value))
    except Exception:
        return f"(a very large {type(value).__name__})"
    return value if size <= MAX_TOLD else f"({type(value).__name__} of {size} characters)"


def shown(value: object) -> str:
    """*value* for a message: shortened, and a description if it cannot be printed."""
    told = showable(value)
    return shorten(repr(value) if told is value else str(told))


def shorten(text: str) -> str:
    """*text* with at most `MAX_SHOWN` characters, and how many it had."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}... ({len(text)} characters)"


class ShareActorsError(Exception):
    """The base of every error that this package raises on purpose.

    `code` is stable; it is sent between processes and printed by `--json`. `exit_code` is the command
    line's. `field` and `value` name the offending input where there is one.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(
        self, message: str, *, field: str | None = None, value: Any = None, **details: Any
    ) -> None:
        super().__init__(message)
        self.message, self.field, self.value, self.details = message, field, value, details

    @property
    def reason(self) -> str:
        """The message without its claim that nothing was recorded, which is about one try alone."""
        return self.message.removesuffix(NOT_RECORDED)

    def not_recorded(self) -> Self:
        """This error with the claim that nothing was recorded; raised before anything is sent to a share."""
        self.message = f"{self.reason}{NOT_RECORDED}"
        self.args = (self.message,)
        return self


class InvalidRequest(ShareActorsError):
    """The input is invalid; nothing was recorded."""

    code = "invalid_request"
    exit_code = 3


class ConfigError(ShareActorsError):
    """The configuration is invalid, or names something that does not exist."""

    code = "config"
    exit_code = 4


class NotFound(ShareActorsError):
    """No such share, snapshot, rule or receipt."""

    code = "not_found"
    exit_code = 5


class Ambiguous(ShareActorsError):
    """Several shares have this name; use one of the ids in the message."""

    code = "ambiguous"
    exit_code = 6


class Refused(ShareActorsError):
    """The request is valid but not possible in the share's current state; nothing was recorded."""

    code = "refused"
    exit_code = 7


class Forbidden(Refused):
    """The role of the caller does not permit the operation; nothing was recorded."""

    code = "forbidden"


class NoValidHost(Refused):
    """No pool of any backend fits; the message has the reasons, pool by pool. Nothing was recorded."""

    code = "no_valid_host"


class OverQuota(Refused):
    """The request needs more than a quota of its project has left. Nothing was recorded.

    Details: `quota`, `used`, `reserved`, `asked` and `limit`, and whose it is: `project_id`, `user_id`,
    `share_type`. Sizes are in GiB.
    """

    code = "over_quota"


class OperationFailed(ShareActorsError):
    """The request was recorded, and the backend failed to carry it out; the share has the reason."""

    code = "failed"
    exit_code = 8


class TimedOut(ShareActorsError):
    """The wait ended before the work did; the request is recorded, unless the message says it is unknown."""

    code = "timeout"
    exit_code = 9


class Busy(ShareActorsError):
    """The request cannot be taken yet; nothing was recorded. Try again after `retry_after` seconds."""

    code = "busy"
    exit_code = 10

    @property
    def retry_after(self) -> float:
        """Seconds to wait before the next try."""
        return float(self.details.get("retry_after", 0.1))


class Unavailable(ShareActorsError):
    """The system cannot be reached or is not running."""

    code = "unavailable"
    exit_code = 11


class LogError(ShareActorsError):
    """The event log cannot be read or written; nothing was recorded."""

    code = "log"
    exit_code = 12


class LogInDoubt(LogError):
    """The event log failed during a write: it is not known whether the request was recorded.

    The client has repeated it with the same `command_id` until its timeout.
    """

    code = "log_in_doubt"

    @classmethod
    def after(cls, error: LogError) -> LogInDoubt:
        """The error of a try that ended with *error*, if an earlier try may have been recorded."""
        return cls(error.reason, field=error.field, value=error.value, **error.details)


class LogTooNew(LogError):
    """The log holds an event that a newer version of this program wrote."""

    code = "log_too_new"


class Moved(ShareActorsError):
    """Another activation owns the stream; the router finds it and sends the request there."""

    code = "moved"
    exit_code = 11


class Outdated(Moved):
    """This process runs an older version than an event of the stream needs; another process may read it.

    Details: `version`, of the program that cannot read the event, and `needs`, which says what it met.
    """

    code = "outdated"


ERRORS: dict[str, type[ShareActorsError]] = {
    kind.code: kind
    for kind in (
        ShareActorsError,
        InvalidRequest,
        ConfigError,
        NotFound,
        Ambiguous,
        Refused,
        Forbidden,
        NoValidHost,
        OverQuota,
        OperationFailed,
        TimedOut,
        Busy,
        Unavailable,
        LogError,
        LogInDoubt,
        LogTooNew,
        Moved,
        Outdated,
    )
}
"""Every error, by its code."""
