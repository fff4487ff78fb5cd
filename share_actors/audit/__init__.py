"""What the log says: sentences and explanations. It reads; no actor imports it."""
