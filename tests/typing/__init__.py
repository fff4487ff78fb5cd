"""Types of the public client, and the installed package."""
