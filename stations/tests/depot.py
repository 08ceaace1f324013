"""A small HTTP server in the test: it gives images and takes logs."""

import contextlib
import http.server
import threading


class Depot(http.server.ThreadingHTTPServer):
    """`files` are given by path, `taken` are what was put there; `busy` requests get a 503."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.taken, self.busy = {}, {}, 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self._answer(200 if self.path in self.server.files else 404)

    def do_PUT(self):
        length = int(self.headers["Content-Length"])
        self.server.taken[self.path] = self.rfile.read(length).decode()
        self._answer(201)

    def _answer(self, status):
        if self.server.busy:
            self.server.busy -= 1
            status = 503
        body = self.server.files.get(self.path, b"") if status == 200 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def open_depot():
    with Depot() as depot:
        thread = threading.Thread(target=depot.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield depot
        finally:
            depot.shutdown()
            thread.join()
