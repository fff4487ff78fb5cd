"""Programs that start without importing Ray again: forks of a process that has imported it.

- `server.py` imports modules and forks a process for each Python program that a client asks for.
- `client.py` takes the place of such a program: it hands over its arguments, environment, directory and
  streams, passes signals on, and exits with the status of the program.
- `ray_worker.py` does the same for a worker of Ray, with one server per Ray node.
- `programs.py` gives the paths of the commands that tests start.
"""
