"""Requests of the command line: repeated, to several targets, and about what is named."""
