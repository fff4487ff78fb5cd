"""The lease of a log: which system may write to it, and logs that are written under one."""
