"""Options of drivers that export shares with NFS-Ganesha."""
