"""The recipe of a container image."""
