"""What a value must be to be accepted, and how it is shown if it is not."""
