"""Takes the place of the Python programs of a Ray node, above all its workers: each is a fork of one process.

Arguments: the Python to run the server with, then Ray's program and its arguments. The first program of a Ray
node starts the server, as a child of the node's process, and the server ends with the node.
"""

import os
import socket
import sys

if __name__ == "__main__":  # with `-I`: no directory of this project is searched
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from tests.preloaded import client

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server.py")
MODULES = ["ray", "ray._private.node", "share_actors.actors.runtime.ray_actors"]
BACKLOG = 64
NO_JOB = "ffffffff"
"""Ray's id of no job: it is read at import, and a fork is a worker of any job."""


def main(python: str, arguments: list[str]) -> None:
    """Run the program and exit with its status."""
    node = os.getppid()
    address = f"\0share-actors-workers-{node}"
    _ensure_server(python, address, node)
    sys.exit(client.run(address, [a for a in arguments if a != "-u"]))


def _ensure_server(python: str, address: str, node: int) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(address)
        except OSError:
            return  # another program of the node has started it
        listener.listen(BACKLOG)
        if os.fork() == 0:
            os.setpgid(0, 0)  # Ray kills the process group of a worker that has ended
            listener.set_inheritable(True)
            os.environ.update(RAY_JOB_ID=NO_JOB, RAY_RAYLET_PID=str(node))
            os.execv(python, [python, SERVER, str(listener.fileno()), str(node), *MODULES])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
