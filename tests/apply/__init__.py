"""Shares as a file declares them."""
