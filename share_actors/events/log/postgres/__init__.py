"""A log in PostgreSQL; psycopg, an optional package, is imported on use."""
