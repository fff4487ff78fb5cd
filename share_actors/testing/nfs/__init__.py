"""A real NFS client for tests and demonstrations, and networks in which each client has its own address."""
