"""The effects of aggregates, performed as calls of drivers and as commands to other entities."""
