"""Sends a command line to the server of `cli_server.py` and exits with its status.

Arguments: the server's socket, then those of `share-actors`.
Imports as little as possible, for it runs once per command.
"""

import json
import os
import socket
import sys

if __name__ == "__main__":
    request = {
        "arguments": sys.argv[2:],
        "directory": os.getcwd(),
        "environment": dict(os.environ),
    }
    body = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(sys.argv[1])
        socket.send_fds(server, [b"%d\n" % len(body)], [0, 1, 2])
        server.sendall(body)
        answer = server.recv(16)
    sys.exit(int(answer or b"1"))
