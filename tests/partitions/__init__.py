"""A PostgreSQL log in several partitions."""
