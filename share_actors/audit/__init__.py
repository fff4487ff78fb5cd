"""Reading the log: sentences and explanations. No actor imports this package."""
