"""Events about a data subject that is forgotten; their stream is `subject-ID`, which is no entity's."""

from __future__ import annotations

from share_actors.events.decider import Event


class SubjectForgotten(Event, topic="subject.forgotten"):
    """The key of a data subject was destroyed.

    *subject_id* is a keyed hash, which does not tell the name. *events* of *streams* had its texts.
    """

    subject_id: str
    kind: str
    events: int
    streams: int


class SubjectKept(Event, topic="subject.kept"):
    """A crash ended the forgetting of a data subject before its key was destroyed: nothing was erased."""

    subject_id: str
    kind: str


SubjectEvent = SubjectForgotten | SubjectKept


def stream_of_subject(subject_id: str) -> str:
    """The stream of a subject's events."""
    return f"subject-{subject_id}"


def sentence(event: SubjectEvent, who: str) -> str:
    """Describe *event*; *who* requested it."""
    if isinstance(event, SubjectKept):
        return (
            f"a crash ended the forgetting of {event.kind} {event.subject_id} before its key was"
            " destroyed: nothing was erased"
        )
    where = f"{event.events} events of {event.streams} streams"
    what = f"{event.kind} {event.subject_id}"
    return f"{who} had {what} forgotten: its texts in {where} cannot be read any more"
