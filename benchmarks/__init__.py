"""Benchmarks: figures to compare as ratios and orders of magnitude; not tests."""
