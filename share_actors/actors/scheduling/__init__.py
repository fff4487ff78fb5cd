"""Which backend and pool a share goes to, with the statistics and reservations that decide it."""
