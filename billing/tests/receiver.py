"""The operator's own system, which takes webhooks on a port of its own: the network's other end.

It verifies with the reference library of Standard Webhooks and shares no code with ours.
"""

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook


@dataclass
class Receiver:
    """What came, and how it answers: `status`, after `wait_s`, or in a `drip`."""

    url: str = ""
    port: int = 0
    status: int = 204
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    wait_s: float = 0
    drip: bool = False
    got: list = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def verified(self, secret, number=-1):
        """Return what the reference library reads from a request; it raises when unsigned."""
        headers, body = self.got[number]
        return Webhook(secret).verify(body, headers)

    @property
    def types(self):
        return [json.loads(body)["type"] for _, body in self.got]


@contextlib.contextmanager
def listening(tls=None, **options):
    receiver = Receiver(**options)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            receiver.closing.wait(receiver.wait_s)
            if receiver.drip:
                self._drip()
                return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        def _drip(self):
            """Send a header without end, a letter at a time."""
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not receiver.closing.wait(0.05):
                    self.wfile.write(b"x")

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass  # whoever times out hangs up

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def wait_until(is_true, *, within_s=10):
    until = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.01)
