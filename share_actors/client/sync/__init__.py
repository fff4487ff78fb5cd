"""The synchronous client: each call runs in the asynchronous one, on an event loop in a background thread."""
