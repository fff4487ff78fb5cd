"""Commands about the event log: they read and check it, and copy, archive and compare what it holds."""
