"""uvicorn with one of the applications: `python -m benchmarks.serve WAY`. It ends when its stdin does."""

import json
import os
import socket
import sys
import threading
from typing import Any

import uvicorn

from benchmarks import apps


def main() -> None:
    """Serve on a free port of loopback, and say which."""
    watched = apps.make(sys.argv[1])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
        # log lines on stdout go nowhere, but are written, as in a container
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # connections rest while other servers have their turn
        options: dict[str, Any] = {"log_config": None, "access_log": False, "timeout_keep_alive": 300}
        server = uvicorn.Server(uvicorn.Config(watched.app, lifespan="off", **options))
        threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
        server.run(sockets=[listener])
    watched.flush()


def _end_with_stdin(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = True


if __name__ == "__main__":
    main()
