"""Filters and weighing of pools, as in Manila's scheduler. Pure."""
