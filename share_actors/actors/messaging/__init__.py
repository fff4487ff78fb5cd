"""The messages between clients, the manager and hosts."""
