"""What operators see of a running system: metrics, lines of logs, and traces."""
