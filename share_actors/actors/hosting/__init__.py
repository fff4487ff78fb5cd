"""Which Ray actor an entity lives in, and what happens when that actor dies."""
