"""The exit codes of the command line. They are stable."""

from __future__ import annotations

LACKING = 13
DIFFERS = 14
SOME_FAILED = 15
PARTS = 16
LOST = 17
INTERRUPTED = 130
"""After Ctrl-C, as in shells: 128 plus the number of the signal."""

EXIT_CODES = {
    0: "success",
    1: "an unexpected error",
    2: "usage: the command line is invalid; nothing was done",
    3: "invalid_request: the input is invalid; nothing was recorded",
    4: "config: the configuration is invalid; nothing was started",
    5: "not_found: no such share, snapshot, access rule, network, server or type",
    6: "ambiguous: several shares have that name",
    7: "refused, no_valid_host: not possible in the current state; forbidden: not permitted to the role;"
    " nothing was recorded",
    8: "failed: the request was recorded and the backend failed",
    9: "timeout: the request was recorded and is still in progress",
    10: "busy: too many requests wait, or backends have not reported; nothing was recorded; try again",
    11: "unavailable: no system is running, or it can't be reached",
    12: "log, log_too_new: the event log can't be used; nothing was recorded; log_in_doubt: it is unknown",
    LACKING: "missing: a backend lacks what it requires (`doctor`); nothing was changed",
    DIFFERS: "differs: the log is not what was recorded (`log verify`), or shares are not as a file declares"
    " (`diff`); nothing was changed",
    SOME_FAILED: "some_failed: some items of `--from FILE` were refused, failed or still go on;"
    " the others are done. Of several targets: some failed, with different codes",
    PARTS: "parts: other states or decisions than recorded (`log replay`); nothing was changed",
    LOST: "lost: the backup lacks more recorded events than `log restore-drill --max-lost` allows",
    INTERRUPTED: "stopped by Ctrl-C; recorded requests stay in progress",
}
"""Exit codes of the command line, with the `error.code` of --json output."""
