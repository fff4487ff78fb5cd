"""The contract of a driver as its clients see it, in parts."""
