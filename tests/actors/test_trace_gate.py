"""Processes of earlier versions get commands without their traces, of which they know nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from share_actors.actors.messaging.messages import CommandMessage
from share_actors.actors.runtime.trace_gate import TraceGate
from share_actors.versions import OWN, Versions

PLAIN = CommandMessage("s", "c", "t", b"{}", b"{}")
TRACED = PLAIN._replace(trace=f"00-{7:032x}-{8:016x}-01")


class Process:
    """A process that tells these versions, and how often it was asked for them."""

    def __init__(self, versions: Versions) -> None:
        self.versions, self.asked = versions, 0

    async def tell(self) -> Mapping[str, Any]:
        self.asked += 1
        return self.versions.told()


def passed(gate: TraceGate, *messages: CommandMessage) -> list[CommandMessage]:
    return asyncio.run(gate.passed([*messages]))


def test_a_process_that_knows_traces_gets_them_and_is_asked_once() -> None:
    process = Process(OWN)
    gate = TraceGate(process.tell)

    assert [passed(gate, TRACED, PLAIN) for _ in range(2)] == [[TRACED, PLAIN]] * 2
    assert process.asked == 1


def test_an_earlier_process_gets_the_same_commands_without_traces() -> None:
    gate = TraceGate(Process(OWN._replace(protocol=2)).tell)

    assert passed(gate, TRACED, PLAIN) == [PLAIN, PLAIN]


def test_a_process_is_not_asked_for_commands_without_traces() -> None:
    process = Process(OWN)

    assert passed(TraceGate(process.tell), PLAIN) == [PLAIN]
    assert process.asked == 0


def test_a_process_that_may_have_been_restarted_in_another_version_is_asked_again() -> None:
    process = Process(OWN)
    gate = TraceGate(process.tell)
    passed(gate, TRACED)
    process.versions = OWN._replace(protocol=2)

    gate.forget()

    assert passed(gate, TRACED) == [PLAIN]
