"""What can happen: aggregates, their log and the catalog."""
