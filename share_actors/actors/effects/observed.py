"""A `Work` whose attempts are counted and traced: how long each took, and how it ended."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from share_actors.events.aggregates import backend_of
from share_actors.events.attempts import ReportFailure
from share_actors.events.decider import Command, Effect
from share_actors.observability.counts import Timers
from share_actors.observability.log_context import current
from share_actors.observability.tracing import Span, Tracing, cause
from share_actors.values import RequestContext

logger = logging.getLogger(__name__)
_INNER_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAMES: dict[type, str] = {}
"""The names of the effects that were performed."""


class ObservedWork:
    """Another `Work`, whose attempts are added to *attempts*: by backend, effect and outcome."""

    def __init__(self, work: Any, attempts: Timers, tracing: Tracing | None = None) -> None:
        self._start, self._attempts, self._tracing = work.start, attempts, tracing
        self.preparation, self.check, self.timeout_s = work.preparation, work.check, work.timeout_s
        self.cut_off, self.max_pause_s = work.cut_off, work.max_pause_s

    def start(
        self, effect: Effect, state: Any, context: RequestContext, done: Callable[[Command], None]
    ) -> None:
        """Perform *effect*, and count it before *done* gets its outcome."""
        span = None if self._tracing is None else _begun(self._tracing, effect, context)
        if span is None:
            self._start_counted(effect, state, context, done)
            return

        def ended(outcome: Command) -> None:
            error = None
            if isinstance(outcome, ReportFailure):
                error = f"{outcome.kind}: {outcome.reason}"
            span.end(error)
            with span.active():
                done(outcome)

        with span.active():
            self._start_counted(effect, state, context, ended)

    def _start_counted(
        self, effect: Effect, state: Any, context: RequestContext, done: Callable[[Command], None]
    ) -> None:
        began = time.perf_counter()

        def ended(outcome: Command) -> None:
            how = outcome.kind if isinstance(outcome, ReportFailure) else "done"
            labels = (backend_of(state), effect_name(effect), how)
            self._attempts[labels].add(time.perf_counter() - began)
            if isinstance(outcome, ReportFailure):
                logger.info("%s: %s: %s", labels[1], how, outcome.reason)
            done(outcome)

        self._start(effect, state, context, ended)


def _begun(tracing: Tracing, effect: Effect, context: RequestContext) -> Span | None:
    """The span of an attempt at *effect*, in the trace of the request that it is for.

    After the end of the process that was asked, that is known only if the trace began with the request.
    """
    about, parent = current(), cause()
    if not tracing.records(parent, str(about.get("command_id", ""))):
        return None
    attributes = {name: value for name, value in about.items() if name != "trace_id"}
    if not parent:
        attributes["recovered"] = True
    name = f"attempt {effect_name(effect)}"
    return tracing.begin(name, parent, attributes, context.project_id)


def effect_name(effect: Effect) -> str:
    """What *effect* is, without ids: `apply_rules`."""
    kind = type(effect)
    name = _NAMES.get(kind)
    if name is None:
        name = _NAMES[kind] = _INNER_CAPITAL.sub("_", kind.__name__).lower()
    return name
