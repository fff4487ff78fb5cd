"""Commands that start, stop, configure and examine a system."""
