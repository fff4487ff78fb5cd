"""Commands about shares and their access rules."""
