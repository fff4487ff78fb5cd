"""The web console: pages that show a running system, for the user who started it; they change nothing."""
