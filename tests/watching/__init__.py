"""Waiting for shares, and following their changes."""
