"""What is asked of every driver: of its class before it is used, and of what its methods return."""
