"""Two versions of the program on one log: rolling upgrades of a real Ray cluster under load."""
