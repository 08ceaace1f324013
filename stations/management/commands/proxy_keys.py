"""Prepare the directory from which a proxy takes its certificate and the root of stations'."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from stations.certificates import proxy

EVERY_NAME = "*"


class Command(BaseCommand):
    help = "Write server.pem, server.key and stations.pem for the proxy, where they are missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        directory: Path = options["directory"]
        names = [name for name in settings.ALLOWED_HOSTS if name != EVERY_NAME]
        try:
            is_new = proxy.prepare(directory, names or ["localhost"])
        except (OSError, ValueError) as error:
            raise CommandError(f"{directory}: {error}") from error
        kept = "a new certificate of our own" if is_new else "the certificate that is there"
        self.stderr.write(f"The proxy shows {kept}.")
