"""Retention: archives of old events, drills that restore a backup, and what proves both."""
