"""Proofs about the log: its tree, its checkpoints, and what verification says of a changed log."""
