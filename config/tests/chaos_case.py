"""One clean charge as all witnesses tell it, to plant defects in."""

import datetime as dt
import zoneinfo
from decimal import Decimal

from billing.pricing import Period, Terms, price
from config.chaos.evidence import (
    AccountRow,
    Charge,
    CommandRow,
    EventRow,
    Evidence,
    Presence,
    ReadingRow,
    Rows,
    SessionRow,
    StationRow,
    TransferRow,
    Wallet,
    Witness,
)
from config.chaos.journal import Exchange, Line
from config.chaos.town import Wish

ALICE, BOB = "alice", "bob"
STATION, NUMBER = "C-1", 7
SESSION = "11111111-1111-1111-1111-111111111111"
OTHER_SESSION = "22222222-2222-2222-2222-222222222222"
START = dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC)
STOP = START + dt.timedelta(minutes=2)
ZONE = zoneinfo.ZoneInfo("Asia/Bishkek")
TERMS = Terms(currency="KGS", price_per_kwh=Decimal("12.50"))
ENERGY_WH, HOLD, COST, LOSS = 2_100, 2_500, 2_500, 125
"""2.1 kWh cost 26.25; 25.00 were held, so 1.25 is the operator's."""
CUSTOMER_ACCOUNT, SALES_ACCOUNT, LOSS_ACCOUNT, FUNDING_ACCOUNT, BOBS_ACCOUNT = 1, 2, 3, 4, 5


def transfer(key, kind, code, amount, **changes):
    values = {
        "id": key,
        "key": key,
        "kind": kind,
        "code": code,
        "debit": CUSTOMER_ACCOUNT,
        "credit": SALES_ACCOUNT,
        "payer": ALICE,
        "payee": "",
        "amount_minor": amount,
        "resolves": "",
        "reference": f"session:{SESSION}",
    }
    return TransferRow(**values | changes)


def bill():
    periods = [Period(START, STOP, ENERGY_WH)]
    stored = {
        "start": START.isoformat(),
        "end": STOP.isoformat(),
        "energy_wh": ENERGY_WH,
        "power_w": None,
        "state": "charging",
    }
    return price(TERMS, periods, ZONE).to_json() | {"periods": [stored]}


def session(**changes):
    values = {
        "id": SESSION,
        "user_id": ALICE,
        "station_id": STATION,
        "connector_id": 1,
        "origin": "remote",
        "status": "completed",
        "error_code": "",
        "id_tag": "ABCDEFGHIJKLMNOPQRST",
        "transaction_id": NUMBER,
        "meter_start_wh": 1_000,
        "energy_wh": ENERGY_WH,
        "cost_minor": COST,
        "hold_minor": HOLD,
        "bill": bill(),
        "terms": TERMS,
        "zone": ZONE,
        "flags": (),
        "has_stop": True,
        "meter_start_at": START,
        "requested_at": START,
        "ended_at": STOP,
    }
    return SessionRow(**values | changes)


def exchange(action, payload, reply, **changes):
    values = {
        "station_id": STATION,
        "connection": 1,
        "message_id": "1",
        "action": action,
        "payload": payload,
        "asked_at": START,
        "answered_at": START,
        "answer": reply,
    }
    return Exchange(**values | changes)


def start_of(number=NUMBER):
    payload = {"connectorId": 1, "idTag": "ABCDEFGHIJKLMNOPQRST", "meterStart": 1_000}
    answer = {"transactionId": number, "idTagInfo": {"status": "Accepted"}}
    return exchange("StartTransaction", payload, answer)


def sample_of(at=START):
    value = {"timestamp": at.isoformat(), "sampledValue": [{"value": "1000"}]}
    payload = {"connectorId": 1, "transactionId": NUMBER, "meterValue": [value]}
    return exchange("MeterValues", payload, {})


def stop_of(number=NUMBER, **changes):
    return exchange("StopTransaction", {"transactionId": number, "meterStop": 3_100}, {}, **changes)


def clean():
    """What there is when nothing is wrong."""
    rows = Rows(
        sessions=(session(),),
        transfers=(
            transfer(
                "topup",
                "posted",
                "topup",
                10_000,
                debit=FUNDING_ACCOUNT,
                credit=CUSTOMER_ACCOUNT,
                payer="",
                payee=ALICE,
                reference="payment:1",
            ),
            transfer("hold", "pending", "charge", HOLD),
            transfer("capture", "captured", "charge", COST, resolves="hold"),
            transfer("loss", "posted", "loss", LOSS, debit=LOSS_ACCOUNT, payer=""),
        ),
        accounts=(
            AccountRow(CUSTOMER_ACCOUNT, ALICE, "customer", 7_500, 0),
            AccountRow(SALES_ACCOUNT, "", "sales", COST + LOSS, 0),
            AccountRow(LOSS_ACCOUNT, "", "loss", -LOSS, 0),
            AccountRow(FUNDING_ACCOUNT, "", "funding", -10_000, 0),
        ),
        stations=(StationRow(STATION, True, 3),),
        readings=(ReadingRow(SESSION, STATION, START),),
        commands=(CommandRow("c", STATION, "RemoteStartTransaction", "answered"),),
        events=(EventRow(SESSION, START, "moved starting → charging by station"),),
    )
    seen = Witness(
        charges=(Charge(STATION, 1, NUMBER, "ABCDEFGHIJKLMNOPQRST", START, 1_000, 3_100, True),),
        wishes=(Wish("key", ALICE, STATION, SESSION, 202),),
        wallets=(Wallet(ALICE, 10_000, 7_500, 0),),
        exchanges=(start_of(), sample_of(), stop_of()),
        presences=(Presence(STATION, "http://127.0.0.1:1", True, "answered"),),
        admitted={STATION: 3},
        dialled={STATION: 4},
        lines=(Line(START, "", "FAULT     3.0 s  kill serve-1 for 1.0 s"),),
    )
    return Evidence(rows, seen)
