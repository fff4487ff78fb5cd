"""Takes a log from one place to another: export, import, restore drill."""
