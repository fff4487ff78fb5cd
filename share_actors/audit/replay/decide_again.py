"""All recorded decisions made again: commands by the present code, choices of a pool by a configuration."""

from __future__ import annotations

from share_actors.audit.reading.reader import LogReader
from share_actors.audit.replay.placements import Placements, rules_of
from share_actors.audit.replay.what_if import Decided, Decisions, Differences, decide_all
from share_actors.audit.statistics import Progress, no_progress
from share_actors.config import Config


def decide_again(
    reader: LogReader,
    config: Config,
    other: Config | None = None,
    progress: Progress = no_progress,
) -> Decided:
    """Decide every recorded command again; choices of a pool as *config* and then *other* would have it.

    Without *other* no choice can come out differently; how many are not reproduced is counted. Raises
    `LogError` if an event cannot be read that a choice depends on.
    """
    differences = Differences()
    decisions = Decisions(differences)
    decide_all(reader, decisions, progress)
    base = rules_of(config, all_backends=True)
    instead = base if other is None else rules_of(other, all_backends=False)
    placements = Placements(base, instead, differences)
    placements.follow(reader, progress)
    return Decided(
        commands=decisions.commands,
        decided=decisions.decided,
        not_decided=dict(decisions.not_decided.most_common()),
        unreadable=decisions.unreadable,
        placements=placements.placements,
        placements_not_reproduced=placements.not_reproduced,
        differing=dict(differences.counts.most_common()),
        examples=tuple(differences.examples),
    )
