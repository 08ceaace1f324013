"""FreedomPay as its documentation describes it, on a port of its own: the network's other end.

It signs and checks by itself and shares no code with ours. `faults` make it misbehave.
"""

import hashlib
import threading
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

MERCHANT, SECRET = "500123", "a secret of the shop"


def pg_signature(script, values):
    ordered = [values[name] for name in sorted(values) if name != "pg_sig"]
    return hashlib.md5(";".join([script, *ordered, SECRET]).encode()).hexdigest()


@dataclass
class Order:
    payment_id: str
    form: dict
    status: str = "pending"
    amount: str = ""
    currency: str = ""
    net_amount: str = ""
    returned: Decimal = Decimal(0)


@dataclass
class Double:
    """Its orders by number, and the calls that it got."""

    orders: dict = field(default_factory=dict)
    calls: list = field(default_factory=list)
    faults: set = field(default_factory=set)
    url: str = ""

    def pay(self, order_id, *, amount="", currency="", net_amount=""):
        order = self.orders[order_id]
        order.status = "success"
        order.amount = amount or order.form["pg_amount"]
        order.currency = currency or order.form["pg_currency"]
        order.net_amount = net_amount

    def fail(self, order_id):
        self.orders[order_id].status = "error"

    def result_form(self, order_id, **changes):
        """What it posts to the shop's result address."""
        order = self.orders[order_id]
        values = {
            "pg_order_id": order_id,
            "pg_payment_id": order.payment_id,
            "pg_amount": order.amount,
            "pg_currency": order.currency,
            "pg_net_amount": order.net_amount,
            "pg_result": "1" if order.status == "success" else "0",
            "pg_can_reject": "0",
            "pg_description": "Пополнение; «баланс»",
            "pg_salt": "salt",
            **changes,
        }
        script = order.form["pg_result_url"].rpartition("/")[2]
        return urllib.parse.urlencode(values | {"pg_sig": pg_signature(script, values)})

    def answer(self, script, form):
        self.calls.append((script, form))
        if form["pg_sig"] != pg_signature(script, form):
            return {"pg_status": "error", "pg_error_code": "9998"}, False
        values = getattr(self, script.partition(".")[0])(form)
        return {**values, "pg_salt": "theirs"}, True

    def init_payment(self, form):
        payment_id = str(7_000_000 + len(self.orders))
        self.orders[form["pg_order_id"]] = Order(payment_id, form)
        page = f"https://customer.freedompay.example/pay?id={payment_id}&x=<1>"
        return {"pg_status": "ok", "pg_payment_id": payment_id, "pg_redirect_url": page}

    def get_status3(self, form):
        order = self.orders.get(form["pg_order_id"])
        if order is None:
            return {"pg_status": "error", "pg_error_code": "340"}
        return {
            "pg_status": "ok",
            "pg_payment_id": order.payment_id,
            "pg_payment_status": order.status,
            "pg_amount": order.amount,
            "pg_currency": order.currency,
            "pg_refund_amount": f"-{order.returned}" if order.returned else "0",
            **({"pg_net_amount": order.net_amount} if order.net_amount else {}),
        }

    def revoke(self, form):
        order = self.orders[form["pg_order_id"]]
        if "no refunds" in self.faults:
            return {"pg_status": "error", "pg_error_code": "490"}
        order.returned += Decimal(form["pg_refund_amount"])
        return {"pg_status": "ok"}


def run_double():
    """Serve a Double while the generator is open."""
    double = Double()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            script = self.path.rpartition("/")[2]
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
            if "down" in double.faults:
                self.send_error(502)
                return
            values, is_signed = double.answer(script, form)
            if "loses answers" in double.faults:
                self.send_error(504)
                return
            if is_signed and "forged" not in double.faults:
                values["pg_sig"] = pg_signature(script, values)
            fields = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in values.items())
            answer = f'<?xml version="1.0" encoding="utf-8"?><response>{fields}</response>'
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
