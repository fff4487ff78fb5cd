"""Where entities live: Ray actors, the manager that routes to them, and the loop that they all run."""
