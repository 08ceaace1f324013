"""Show Kubat at work: a server, a simulated station, and one charge that is paid for."""

import time
from argparse import ArgumentParser
from contextlib import AbstractContextManager, ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from billing.models import User
from config.demo import story
from config.demo.client import ApiError, Client
from config.demo.processes import Child, DemoFailed, child, ended_by_sigterm, need_free_port

# 90 kW a hundredfold is 2.5 kWh a second: 500 som last 16 s.
POWER_KW, SPEED, INTERVAL_S = "90", "100", "1"
LINE_WIDTH = 78


class Command(BaseCommand):
    help = "Serve on a database of its own and drive one paid charge through a simulated station."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="end when the charge is settled")
        parser.add_argument("--port", type=int, default=8180)

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.IS_SQLITE:
            raise CommandError("the demo makes up people and money; it keeps to a SQLite database")
        try:
            with ended_by_sigterm(), ExitStack() as processes:
                self._run(processes, port=options["port"], is_once=options["once"])
        except (DemoFailed, ApiError) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self._say("\nended")

    def _run(self, processes: ExitStack, *, port: int, is_once: bool) -> None:
        need_free_port(port)
        anyone = Client(f"http://127.0.0.1:{port}")
        self._say("Starting the server ...")
        server = processes.enter_context(serve(port))
        story.wait("starting", lambda: story.is_up(anyone), children=(server,))
        make_operator()
        people = story.log_in_people(anyone)
        key = story.register_station(people.operator)
        station = processes.enter_context(simulate(port, key))
        self._prepare(people, (server, station))
        self._charge(people.driver, (server, station))
        self._say("To look around, start it without --once:" if is_once else "Look around:")
        self._show_where_to_look(anyone.base_url, key, server)
        if not is_once:
            self._keep_serving((server, station))

    def _prepare(self, people: story.People, children: tuple[Child, ...]) -> None:
        story.wait(
            "ending the charge of an earlier start",
            lambda: story.is_nothing_open(people.driver),
            children=children,
        )
        story.wait(
            "connecting the station",
            lambda: story.is_station_ready(people.operator),
            children=children,
        )
        story.fill_wallet(people)

    def _charge(self, driver: Client, children: tuple[Child, ...]) -> None:
        before = driver.get("/billing/balance")
        session = story.start_charge(driver)
        self._say(
            f"Charging for {session['hold_amount']} {session['currency']} at {story.STATION_ID}, "
            f"{story.PRICE_PER_KWH} a kWh"
        )
        session = story.follow(driver, session["id"], self._show_progress, children=children)
        self._show_bill(session)
        after = driver.get("/billing/balance")
        for when, books in (("before", before), ("after", after)):
            self._say(f"  {f'balance {when}':40}{books['balance']:>10} {books['currency']}")
        self._say("settled\n")

    def _show_progress(self, session: dict[str, Any]) -> None:
        """Write over the line on a terminal; elsewhere write a line when something changed."""
        left = Decimal(session["hold_amount"]) - Decimal(session["cost"])
        line = (
            f"  {session['status']:10}{session['energy_kwh']:>8} kWh"
            f"{session['cost']:>9} {session['currency']}{left:>9} of the hold left"
        )
        if self.stdout.isatty():
            self.stdout.write("\r" + line.ljust(LINE_WIDTH), ending="")
        elif line != self._last_line:
            self.stdout.write(line)
        self._last_line = line
        self.stdout.flush()

    _last_line = ""

    def _show_bill(self, session: dict[str, Any]) -> None:
        bill, currency = session["bill"], session["currency"]
        rows = [
            (f"{line['quantity']} {line['unit']} x {line['unit_price']}", line["amount"])
            for line in bill["lines"]
        ]
        rows += [("total as priced", bill["total"])]
        if Decimal(bill["overshoot"]):
            rows += [("past the hold, which the operator bears", f"-{bill['overshoot']}")]
        rows += [("paid", session["cost"])]
        self._say("\nBill" if self.stdout.isatty() else "Bill")
        for what, amount in rows:
            self._say(f"  {what:40}{amount:>10} {currency}")

    def _show_where_to_look(self, base_url: str, key: str, server: Child) -> None:
        (operator, operator_password), (driver, driver_password) = story.OPERATOR, story.DRIVER
        for name, value in (
            ("Back office", f"{base_url}/admin/    {operator} / {operator_password}"),
            ("Swagger", f"{base_url}/api/docs/ {driver} / {driver_password}"),
            ("Station", f"{story.STATION_ID}, key {key}"),
            ("Log", str(server.log)),
        ):
            self._say(f"  {name:12} {value}")

    def _keep_serving(self, children: tuple[Child, ...]) -> NoReturn:
        self._say("Ctrl-C ends it.")
        while True:
            time.sleep(1)
            for process in children:
                process.check()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()  # whoever reads it through a pipe sees it as it happens


def make_operator() -> None:
    """Make the first member of staff, whom no API can make."""
    username, password = story.OPERATOR
    if not User.objects.filter(username=username).exists():
        User.objects.create_superuser(username, "operator@example.org", password)


def serve(port: int) -> AbstractContextManager[Child]:
    return child(
        "server",
        *("serve", "--host", "127.0.0.1", "--port", str(port)),
        log=beside_database("log"),
        # The demo is one process on this machine, whatever else the environment is set up for.
        REDIS_URL="",
        ALLOWED_HOSTS="127.0.0.1,localhost",
        CSMS_METER_INTERVAL_S=INTERVAL_S,
    )


def simulate(port: int, key: str) -> AbstractContextManager[Child]:
    return child(
        "simulated station",
        *("simulate", "--url", f"ws://127.0.0.1:{port}", "--station-id", story.STATION_ID),
        *("--key", key, "--scenario", "stay", "--memory", str(beside_database("station.json"))),
        *("--power-kw", POWER_KW, "--speed", SPEED, "--interval", INTERVAL_S),
        log=beside_database("station.log"),
    )


def beside_database(suffix: str) -> Path:
    database = Path(settings.DATABASES["default"]["NAME"])
    return database.with_name(f"{database.name}.{suffix}")
