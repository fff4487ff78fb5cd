"""Requests in bulk: any number of items, with bounded memory."""
