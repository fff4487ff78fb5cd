"""Signed checkpoints of the log: its Merkle tree, written at intervals to a directory outside the log."""
