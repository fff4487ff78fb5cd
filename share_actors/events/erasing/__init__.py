"""Forgetting a data subject: refused while it is in force, safe against a crash at any step, repeatable."""

from share_actors.events.erasing.eraser import Eraser, Plan
from share_actors.events.erasing.request import envelope_of, parsed, refuse_if_in_force

__all__ = ["Eraser", "Plan", "envelope_of", "parsed", "refuse_if_in_force"]
