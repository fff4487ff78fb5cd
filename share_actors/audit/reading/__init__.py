"""Reads a log that no system has to serve: a file, a database, an archive."""
