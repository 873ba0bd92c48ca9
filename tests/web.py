"""A web server for tests, which records its requests."""

from __future__ import annotations

import functools
import http.server
import threading
import time
from pathlib import Path
from typing import Any


class Quiet(http.server.ThreadingHTTPServer):
    """Prints nothing about a client that closes its connection early."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Server:
    """Serves a folder on the loopback interface. `asked` has the path of each request that has
    started, `served` of each that was sent completely, `authorizations` the header of that name for
    each path; each file takes at least `seconds`."""

    def __init__(self, folder: Path, seconds: float = 0) -> None:
        self.asked: list[str] = []
        self.served: list[str] = []
        self.authorizations: dict[str, str | None] = {}
        outer = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                outer.asked.append(self.path)
                outer.authorizations[self.path] = self.headers["Authorization"]
                time.sleep(seconds)
                super().do_GET()
                outer.served.append(self.path)

        self._server = Quiet(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()
