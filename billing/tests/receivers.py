"""The other ends of notices on ports of their own: a mail server, an SMS gateway, a Bot API.

They speak the real protocols over real sockets and share no code with ours.
"""

import email
import email.policy
import json
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class MailServer:
    """SMTP (RFC 5321) as far as a client without TLS and log-in needs it."""

    mails: list = field(default_factory=list)
    recipients: list = field(default_factory=list)
    refuses: dict = field(default_factory=dict)
    port: int = 0

    @property
    def texts(self):
        return [mail.get_content().replace("\r\n", "\n") for mail in self.mails]


@dataclass
class SmsGateway:
    """What takes JSON by POST; it keeps (phone, text)."""

    got: list = field(default_factory=list)
    is_down: bool = False
    port: int = 0

    def answer(self, path, query, body):
        if self.is_down:
            return 503, {}
        self.got.append((body["to"], body["message"]))
        return 200, {"ok": True}


@dataclass
class BotApi:
    """Telegram's side of a bot: chats that write to it, and what it says to them."""

    token: str = "12345:secret-of-the-bot"
    said: list = field(default_factory=list)
    calls: list = field(default_factory=list)
    updates: list = field(default_factory=list)
    gone: set = field(default_factory=set)
    is_down: bool = False
    port: int = 0

    def write(self, chat_id, text, *, kind="private", language="ky"):
        """Someone writes to the bot."""
        number = 7000 + len(self.calls) + len(self.updates)
        number = max([number, *(update["update_id"] + 1 for update in self.updates)])
        message = {
            "message_id": number,
            "chat": {"id": chat_id, "type": kind},
            "from": {"id": chat_id, "language_code": language},
            "text": text,
        }
        self.updates.append({"update_id": number, "message": message})

    def answer(self, path, query, body):
        bot, _, method = path.strip("/").partition("/")
        self.calls.append(method)
        if self.is_down:
            return 502, None
        if bot != f"bot{self.token}":
            return 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        return getattr(self, f"_{method}")(body)

    def _getUpdates(self, body):
        self.updates = [row for row in self.updates if row["update_id"] >= body.get("offset", 0)]
        return 200, {"ok": True, "result": list(self.updates)}

    def _sendMessage(self, body):
        if body["chat_id"] in self.gone:
            text = "Forbidden: bot was blocked by the user"
            return 403, {"ok": False, "error_code": 403, "description": text}
        self.said.append((body["chat_id"], body["text"]))
        return 200, {"ok": True, "result": {"message_id": len(self.said)}}


@contextmanager
def mail_server():
    server = MailServer()

    class Conversation(socketserver.StreamRequestHandler):
        def say(self, text):
            self.wfile.write(f"{text}\r\n".encode())

        def handle(self):
            self.say("220 double")
            for line in self.rfile:
                verb = line.decode().split(":")[0].strip().upper()
                if verb == "RCPT TO":
                    self.take_recipient(line.decode().partition(":")[2].strip(" <>\r\n"))
                elif verb == "DATA":
                    self.take_mail()
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def take_recipient(self, address):
            code = server.refuses.get(address, 250)
            if code == 250:
                server.recipients.append(address)
            self.say(f"{code} {address}")

        def take_mail(self):
            self.say("354 go on")
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            server.mails.append(mail)
            self.say("250 taken")

    with _served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation)) as port:
        server.port = port
        yield server


@contextmanager
def http_double(double):
    """Serve a double that answers (path, query, body) with a status and JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            path, _, query = self.path.partition("?")
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = double.answer(path, query, json.loads(raw or b"{}"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"" if body is None else json.dumps(body).encode())

        def log_message(self, *args):
            pass

    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        double.port = port
        yield double


@contextmanager
def _served(server):
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
