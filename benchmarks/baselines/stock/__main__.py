"""`python -m benchmarks.baselines.stock PORT`: make the table, then serve by Daphne's command."""

import os
import sys

from daphne.cli import CommandLineInterface
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.baselines.stock.settings")


def main(port: str) -> None:
    from .asgi import application  # noqa: F401 - it sets up Django

    call_command("migrate", run_syncdb=True, verbosity=0)
    CommandLineInterface().run(
        ["-b", "127.0.0.1", "-p", port, "benchmarks.baselines.stock.asgi:application"]
    )


if __name__ == "__main__":
    main(sys.argv[1])
