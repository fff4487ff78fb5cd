"""Benchmarks: figures to read as ratios and orders, never as tests."""
