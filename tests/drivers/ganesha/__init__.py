"""Tests of the private NFS-Ganesha."""
