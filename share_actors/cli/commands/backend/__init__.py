"""Commands about backends."""
