"""Permanent records of what released versions wrote; none is ever changed.

`events` has a record of every event and schema version. `logs` has a log of every release, written by its
own code, and the reference of it (`log replay --write`): for 0.1.0 and 0.2.0, which did not have that
command, from the states to which their own code led. Before a release, its log is added: every path of the
share's state diagram that has a new pair of successive events, and an example of each event of the others.
"""
