"""What protects a share from deletion by mistake: resource locks, and the grace period of a soft deletion."""
