"""Manifests and a container recipe for machines that others run."""
