"""Receivers of alerts on the loopback: an HTTP server that notes JSON, and a small SMTP server."""

import json
import socketserver
import threading
from contextlib import contextmanager
from email import message_from_string, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """What came, and what is answered: `status` for HTTP."""

    def __init__(self):
        self.taken = []
        self.tried = 0
        self.status = 200
        self.address = ""

    @property
    def titles(self):
        return [message["title"] for message in self.taken]


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def json_receiver():
    """A web hook: json://127.0.0.1:port/hook."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.tried += 1
            if receiver.status == 200:
                receiver.taken.append(json.loads(body))
            self.send_response(receiver.status)
            if receiver.status in (301, 302, 307):
                self.send_header("Location", receiver.elsewhere)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *arguments):
            pass

    with serving(server := ThreadingHTTPServer(("127.0.0.1", 0), Handler)):
        receiver.address = f"json://127.0.0.1:{server.server_address[1]}/hook-of-secret"
        yield receiver


@contextmanager
def mail_receiver():
    """An SMTP server that takes what comes, without encryption or log-in."""
    receiver = Receiver()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line):
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self):
            self.say("220 loopback")
            for raw in self.rfile:
                word = raw.decode().strip().upper()
                if word.startswith("DATA"):
                    self.say("354 go on")
                    self.take_data()
                elif word.startswith("QUIT"):
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def take_data(self):
            lines = []
            for raw in self.rfile:
                if raw.strip() == b".":
                    break
                lines.append(raw.decode())
            mail = message_from_string("".join(lines), policy=policy.default)
            receiver.tried += 1
            body = mail.get_body(("plain", "html")).get_content()
            taken = {"title": mail["Subject"], "message": body, "to": mail["To"]}
            receiver.taken.append(taken)
            self.say("250 taken")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with serving(server := Server(("127.0.0.1", 0), Handler)):
        port = server.server_address[1]
        receiver.address = (
            f"mailto://127.0.0.1:{port}?from=kubat@example.org&to=olga@example.org&mode=insecure"
        )
        yield receiver
