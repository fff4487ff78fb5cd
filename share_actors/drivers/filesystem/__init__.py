"""Helpers for drivers on a local filesystem: ACLs, copying, locks, directory trees."""
