"""Systems in this process whose hosts are of two versions: the older ones do not know an event."""

from __future__ import annotations

from share_actors.config import Config
from share_actors.events.log import Log, OpenLog
from share_actors.events.log.codec import Codec
from share_actors.events.topics import EVENTS
from share_actors.versions import OWN
from tests.actors.in_process import DummyCluster, in_memory

NEWER = "share.changed"
"""The topic of the event that older hosts do not know: that of `share set`."""
OLDER = OWN._replace(program="0.1.9")


def older(config: Config, nodes: int = 1) -> Log:
    """The log as a process opens it that does not know the event `NEWER`."""
    log = in_memory(config, nodes)
    known = {topic: kind for topic, kind in EVENTS.items() if topic != NEWER}
    log._codec = Codec(events=known)  # the versions differ in this alone
    return log


async def restarted_with(cluster: DummyCluster, open_log: OpenLog, *names: str) -> None:
    """Restart the hosts with these *names* as processes of another version, which open the log so."""
    for name in names:
        cluster.running[name]._open_log = open_log
        cluster.running[name].told = OLDER if open_log is older else OWN
        await cluster.running[name].restart()
