"""An error as a document, and what its reader can do next."""

from __future__ import annotations

from typing import Any

from share_actors.errors import Busy, ShareActorsError

NEXT_STEPS = {
    "invalid_request": "Nothing was recorded. Run `share-actors {command} --help` to see the expected input.",
    "config": "Nothing was started or recorded. Run `share-actors config check` for details.",
    "not_found": "Nothing was recorded. List what exists with `share list`, `snapshot list`,"
    " `access list SHARE`, `network list`, `server list` or `type list`.",
    "ambiguous": "Nothing was recorded. Use the id instead of the name.",
    "no_valid_host": "Nothing was recorded. `share-actors backend list` shows the state of each backend,"
    " `backend stats` its capacity.",
    "refused": "Nothing was recorded. `share-actors share show {share}` shows the current state.",
    "over_quota": "Nothing was recorded. `share-actors quota show` shows the limits and what is used.",
    "forbidden": "Nothing was recorded. `share-actors whoami` shows on whose behalf you act.",
    "failed": "The request and its failure are recorded: see `share-actors share history {share}`."
    " Fix the cause, then run `share-actors share retry {share}`.",
    "timeout": "The request is recorded and still in progress."
    " `share-actors share show {share}` shows its state.",
    "busy": "Nothing was recorded. Try again in {retry_after:g} s.",
    "unavailable": "Everything recorded is safe in the log. `share-actors status` shows what is running.",
    "log": "Nothing was recorded. `share-actors config show` shows where the log is.",
    "log_in_doubt": "It is not known whether the request was recorded. `share-actors share history {share}`"
    " shows what is recorded.",
    "log_too_new": "Nothing was recorded. Use the version of share-actors that wrote the log, or later.",
}
"""The second line of an error, by its code."""


def error_document(error: ShareActorsError) -> dict[str, Any]:
    """The error as JSON."""
    return {
        "code": error.code,
        "message": error.message,
        "field": error.field,
        "value": error.value,
        "details": error.details,
        "exit_code": error.exit_code,
    }


def next_step(error: ShareActorsError, command: str) -> str:
    """What was kept and what to do next: the second line of an error."""
    template = error.details.get("next_step") or NEXT_STEPS.get(error.code, "")
    return str(template).format(
        command=command,
        share=error.details.get("share_id") or "SHARE",
        retry_after=error.retry_after if isinstance(error, Busy) else 0,
    )
