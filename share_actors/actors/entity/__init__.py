"""The loop of an entity: decide, append, evolve, perform."""
