"""What a driver promises: the sentences of the contract, by name. Each test of the contract is of one."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Area = Literal[
    "completeness",
    "idempotence",
    "deaths",
    "late calls",
    "access truth",
    "probe honesty",
    "neighbours",
    "daemons",
    "share servers",
]
AREAS: tuple[Area, ...] = get_args(Area)
PAGE = "docs/reference/driver-contract.md"


class Promise(NamedTuple):
    """One sentence of the contract."""

    name: str
    area: Area
    text: str
    why: str
    """What goes wrong in a system whose driver breaks it."""

    @property
    def anchor(self) -> str:
        """Where the reference explains it."""
        return f"{PAGE}#{self.name}"


_ALL = (
    # -- completeness --------------------------------------------------------------------------
    Promise(
        "complete-class",
        "completeness",
        "The class has all that a system needs: methods with their parameters, and valid attributes.",
        "`up` and `config check` refuse the backend.",
    ),
    Promise(
        "true-statistics",
        "completeness",
        "`get_share_stats` reports valid capacities, and exactly the features that the driver has.",
        "Shares are placed where they do not fit, or requests are refused that could be met.",
    ),
    Promise(
        "export-paths",
        "completeness",
        "Each share that exists has export locations, and no other share has the same ones.",
        "Users cannot mount their share, or mount that of somebody else.",
    ),
    # -- idempotence ---------------------------------------------------------------------------
    Promise(
        "repeat-setup",
        "idempotence",
        "`do_setup` can be called again at any time and changes nothing that exists.",
        "A restart changes shares, since each process that hosts shares sets its driver up.",
    ),
    Promise(
        "repeat-create",
        "idempotence",
        "`create_share`, called again for the same share, by any process, returns the same export locations.",
        "A lost answer makes a share fail that exists, or moves it.",
    ),
    Promise(
        "repeat-delete",
        "idempotence",
        "`delete_share` succeeds for a share that is gone or never existed, which can then be created.",
        "A deletion whose answer was lost never ends.",
    ),
    Promise(
        "repeat-ensure",
        "idempotence",
        "`ensure_share` returns the export locations that the share has, or None, however often.",
        "A restart of the system changes the paths of mounted shares.",
    ),
    Promise(
        "repeat-resize",
        "idempotence",
        "`extend_share` and `shrink_share` succeed for a share that has the new size already.",
        "A resize whose answer was lost puts the share into error.",
    ),
    Promise(
        "repeat-snapshot",
        "idempotence",
        "Snapshots can be taken again, with the same location, and deleted again.",
        "A snapshot whose answer was lost is in error, or is on the storage twice.",
    ),
    Promise(
        "repeat-copy",
        "idempotence",
        "A share can be created from a snapshot again, and remains when the snapshot is deleted.",
        "A copy fails that exists, or loses its data with its source.",
    ),
    Promise(
        "repeat-revert",
        "idempotence",
        "A revert can be repeated, and keeps the size, the rules and the export locations.",
        "A reverted share is lost to its clients, or open to others.",
    ),
    Promise(
        "repeat-rules",
        "idempotence",
        "Access rules can be applied and denied again, also those that were never applied.",
        "A rule whose answer was lost is in error for ever.",
    ),
    Promise(
        "concurrent-calls",
        "idempotence",
        "Calls for several shares, and an abandoned call with its repetition, can run at the same time.",
        "Threads and processes of the system destroy each other's work.",
    ),
    # -- deaths --------------------------------------------------------------------------------
    Promise(
        "death-at-any-step",
        "deaths",
        "A call whose process dies at any line can be repeated, and ends as if nothing had happened.",
        "A kill -9, or a loss of power, leaves a share that no request can mend.",
    ),
    Promise(
        "nothing-left-behind",
        "deaths",
        "After a death there is nothing that a probe does not report, or that a deletion does not remove.",
        "Storage fills with things that nobody knows.",
    ),
    # -- late calls ----------------------------------------------------------------------------
    Promise(
        "late-calls-refused",
        "late calls",
        "A call that goes on after a later call of the same share changes nothing more.",
        "A hung call that wakes up destroys what was done meanwhile.",
    ),
    # -- access truth --------------------------------------------------------------------------
    Promise(
        "rules-one-by-one",
        "access truth",
        "Each rule of a list is applied or refused with a reason; a refused one blocks no other.",
        "One odd rule keeps everybody out, or is shown as active and is not.",
    ),
    Promise(
        "rules-as-asked",
        "access truth",
        "A denied client has no rule any more, and every other client has exactly its own.",
        "Who was denied goes on reading, or who was not is cut off.",
    ),
    Promise(
        "snapshot-rules",
        "access truth",
        "A snapshot is exported to exactly the clients of its own rules, to read, and else to nobody.",
        "Old files can be read by those who lost their access.",
    ),
    Promise(
        "no-shrink-below-use",
        "access truth",
        "A share is not shrunk below what it uses; the refusal changes nothing.",
        "Files are lost or damaged.",
    ),
    # -- probe honesty -------------------------------------------------------------------------
    Promise(
        "probe-of-shares",
        "probe honesty",
        "A probe reports whether a share exists, its size and its export locations as they are.",
        "Work is adopted that was not done, or done twice.",
    ),
    Promise(
        "probe-of-snapshots",
        "probe honesty",
        "A probe reports the snapshots of a share as they are.",
        "A snapshot is shown that cannot be used, or one is lost.",
    ),
    Promise(
        "probe-of-rules",
        "probe honesty",
        "A probe reports the rules that are in force as they are.",
        "Rules are believed to be applied that are not.",
    ),
    Promise(
        "probe-changes-nothing",
        "probe honesty",
        "A probe changes nothing.",
        "Looking at a share alters it, while other calls work on it.",
    ),
    Promise(
        "list-of-all",
        "probe honesty",
        "`list_backend` lists exactly the shares and snapshots that exist, as they are.",
        "`backend audit` reports differences that are none, and misses those that are.",
    ),
    # -- neighbours ----------------------------------------------------------------------------
    Promise(
        "strays-spared",
        "neighbours",
        "Files of others beside those of the driver have no effect, and stay.",
        "An editor's backup becomes a share, or `lost+found` is deleted.",
    ),
    Promise(
        "one-system",
        "neighbours",
        "A second system on the same directories is refused, with the name of the first.",
        "Two systems overwrite each other's shares.",
    ),
    # -- daemons -------------------------------------------------------------------------------
    Promise(
        "daemons-restart",
        "daemons",
        "Daemons can be started and stopped again, by any process, and serve the same shares and rules.",
        "A restart loses exports, or opens them.",
    ),
    # -- share servers -------------------------------------------------------------------------
    Promise(
        "repeat-server",
        "share servers",
        "Share servers and their addresses can be set up and torn down again, with the same details.",
        "A server whose answer was lost is set up twice, or never torn down.",
    ),
    Promise(
        "server-holds-shares",
        "share servers",
        "Shares live on their server alone: none without it, and none is lost with another one.",
        "A teardown destroys shares of others.",
    ),
    Promise(
        "late-server-calls-refused",
        "share servers",
        "A late set-up or teardown, and a late call for a share on the server, change nothing more.",
        "A hung set-up that wakes up brings back a server that is gone.",
    ),
)
PROMISES: dict[str, Promise] = {promise.name: promise for promise in _ALL}
