"""Serve pages, API and stations; with SQLite also migrate first and run the worker."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.server import serve


class Command(BaseCommand):
    help = "Serve pages, API and stations until SIGTERM or SIGINT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - stations come from outside
        parser.add_argument("--port", type=int, default=8180)

    def handle(self, *args: Any, **options: Any) -> None:
        serve(host=options["host"], port=options["port"])
