"""Exports by NFS-Ganesha."""
