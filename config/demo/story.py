"""What the demonstration does, step by step; it knows of the server only what the API says."""

import secrets
import time
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .client import ApiError, Client
from .processes import Child, DemoFailed

OPERATOR = ("operator", "kubat-demo-operator")
DRIVER = ("driver@example.org", "kubat-demo-driver")
STATION_ID = "DEMO-1"
PRICE_PER_KWH = "12.50"
WALLET = Decimal(1000)
LIMIT = Decimal(500)

POLL_S = 0.25
WITHIN_S = 120
OPEN = "requested,starting,charging,stopping"


@dataclass(frozen=True, slots=True)
class People:
    """The two who act, each logged in."""

    operator: Client
    driver: Client
    driver_id: str


def wait(what: str, is_done: Callable[[], bool], *, children: tuple[Child, ...]) -> None:
    """Ask again and again. Raises DemoFailed when it takes too long or a child has ended."""
    deadline = time.monotonic() + WITHIN_S
    while not is_done():
        for child in children:
            child.check()
        if time.monotonic() > deadline:
            raise DemoFailed(f"{what} took more than {WITHIN_S} s")
        time.sleep(POLL_S)


def is_up(anyone: Client) -> bool:
    try:
        anyone.get("/healthz")
    except (urllib.error.URLError, ConnectionError, TimeoutError, ApiError):
        return False
    return True


def log_in_people(anyone: Client) -> People:
    """Log in the operator, who exists, and the driver, who signs up on the first start."""
    email, password = DRIVER
    try:
        anyone.post("/auth/register", email=email, password=password, name="Demo driver")
    except ApiError as error:
        if error.status != 400:  # on a second start the address is taken
            raise
    driver = anyone.log_in(email, password)
    return People(anyone.log_in(*OPERATOR), driver, driver.get("/auth/me")["id"])


def register_station(operator: Client) -> str:
    """Register the station and its price where they are missing; return its new key."""
    key = secrets.token_hex(10)
    path = f"/ocpp/stations/{STATION_ID}"
    try:
        operator.patch(path, key=key)
    except ApiError as error:
        if error.code != "station_not_found":
            raise
        operator.post(
            "/ocpp/stations", station_id=STATION_ID, name="Demo station", connectors=1, key=key
        )
    if not operator.get("/ocpp/tariffs", station_id=STATION_ID)["count"]:
        operator.post(
            "/ocpp/tariffs",
            station_id=STATION_ID,
            price_per_kwh=PRICE_PER_KWH,
            currency=operator.get("/billing/balance")["currency"],
        )
    return key


def is_station_ready(operator: Client) -> bool:
    """Whether it is connected and its connector is free to charge."""
    station = operator.get(f"/ocpp/stations/{STATION_ID}")
    return bool(station["online"]) and station["connectors"][0]["status"] == "Available"


def is_nothing_open(driver: Client) -> bool:
    """Whether no charge of an earlier, interrupted start is left; cancel what never began.

    What was running is ended by the station, which remembers it.
    """
    left = driver.get("/ocpp/sessions", station_id=STATION_ID, status=OPEN)["results"]
    for session in left:
        if session["status"] in ("requested", "starting"):
            driver.post("/ocpp/stop_charge", session_id=session["id"])
    return not left


def fill_wallet(people: People) -> None:
    """Top the driver up to 1,000 when less than one charge is left."""
    available = Decimal(people.driver.get("/billing/balance")["available"])
    if available < LIMIT:
        people.operator.post(
            "/billing/topups",
            provider="manual",
            user_id=people.driver_id,
            amount=f"{WALLET - available:.2f}",
        )


def start_charge(driver: Client) -> dict[str, Any]:
    session: dict[str, Any] = driver.post(
        "/ocpp/start_charge",
        station_id=STATION_ID,
        limit_type="amount",
        limit_value=f"{LIMIT:.2f}",
    )
    return session


def follow(
    driver: Client,
    session_id: str,
    show: Callable[[dict[str, Any]], None],
    *,
    children: tuple[Child, ...],
) -> dict[str, Any]:
    """Show a session until it is settled, and return it. Raises DemoFailed."""

    session: dict[str, Any] = {}

    def has_ended() -> bool:
        session.update(driver.get(f"/ocpp/sessions/{session_id}"))
        show(session)
        return session["status"] in ("completed", "error", "review")

    wait("the charge", has_ended, children=children)
    if session["status"] != "completed":
        raise DemoFailed(f"the session ended as {session['status']} {session['error_code'] or ''}")
    return session
