"""Proofs about the log: verification against signed checkpoints, and bundles that prove one event."""

from __future__ import annotations

from share_actors.audit.proofs.bundles import prove_event, prove_growth
from share_actors.audit.proofs.findings import Finding
from share_actors.audit.proofs.quick_check import QuickCheck, check_newest
from share_actors.audit.proofs.verification import Report, verify

__all__ = [
    "Finding",
    "QuickCheck",
    "Report",
    "check_newest",
    "prove_event",
    "prove_growth",
    "verify",
]
