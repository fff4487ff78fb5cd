"""One share, in the asynchronous client: its requests, and how it is created and shown."""
