"""A whole system in one process, on one event loop, without Ray: real actors, which can be killed."""
