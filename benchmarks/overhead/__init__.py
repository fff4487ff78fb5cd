"""The system beside a bare Ray application that makes the same calls and commits, without the domain."""

from benchmarks.overhead.job import run

__all__ = ["run"]
