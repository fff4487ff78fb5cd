"""The kit for drivers: new packages, and grades."""
