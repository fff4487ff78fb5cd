"""Requests in bulk: through the client, and from files."""
