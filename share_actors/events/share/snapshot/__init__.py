"""The snapshots of one share: their lifecycle, their access rules, and shares created from them."""
