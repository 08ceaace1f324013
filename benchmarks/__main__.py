"""`python -m benchmarks [--quick] [--only NAME …] [--profile]`: measure, and write it down."""

import argparse
import asyncio
import contextlib
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

from . import report, stores
from .api import ApiFailed
from .figures import Findings
from .fleet import LoadFailed
from .options import DAPHNE, QUICK, UVICORN, Options, Sizes
from .scenarios import SCENARIOS
from .servers import ServerFailed
from .stage import Stage
from .station import Lost, WrongReply

KINDS = (DAPHNE, UVICORN)
FAULTS = (LoadFailed, ServerFailed, ApiFailed, Lost, WrongReply, TimeoutError, OSError)
"""What fails one scenario and lets the others go on."""


def main(arguments: list[str]) -> int:
    """Return 0, or 1 where a scenario failed."""
    asked = _parser().parse_args(arguments)
    lift_file_limit()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that all servers end with it
    with tempfile.TemporaryDirectory(prefix="kubat-bench-") as directory:
        sizes = QUICK if asked.quick else Sizes(rounds=asked.rounds)
        options = Options(
            Path(directory), sizes, tuple(asked.server or KINDS), is_profiled=asked.profile
        )
        findings, failed = asyncio.run(measure(options, asked.only or list(SCENARIOS)))
    print(report.table(findings))
    is_whole = not (asked.quick or asked.only or asked.server or asked.profile or failed)
    if is_whole:
        report.write(findings)
        print(f"Written to {report.PAGE.name} and {report.PLOT.name} in docs/.")
    return 1 if failed else 0


async def measure(options: Options, names: list[str]) -> tuple[Findings, list[str]]:
    """Run scenarios; return what was found, and the names of those that failed."""
    findings, failed = Findings(), []
    with (
        stores.postgres() as postgres,
        stores.redis_server(options.directory) as redis_url,
    ):
        stage = Stage(options, postgres=postgres, redis_url=redis_url, say=say)
        findings.notes = report.describe_machine(postgres)
        with contextlib.closing(stage):
            for name in names:
                began = time.monotonic()
                say(f"=== {name}")
                try:
                    findings.add(await SCENARIOS[name](stage))
                except FAULTS as error:
                    say(f"!!! {name} failed: {error}")
                    say(_last_words(options.directory))
                    failed.append(name)
                say(f"--- {name}: {time.monotonic() - began:.0f} s")
    return findings, failed


def _last_words(directory: Path) -> str:
    """The end of what each server logged; those of earlier scenarios are there as well."""
    logs = sorted(directory.glob("*.log"), key=lambda log: log.stat().st_mtime)
    return "\n".join(f"[{log.stem}]\n{log.read_text(errors='replace')[-1000:]}" for log in logs)


def lift_file_limit() -> None:
    """A socket is a file: let this process and its servers open as many as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def say(text: str) -> None:
    print(text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="prove that it works; no figures")
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, metavar="NAME")
    parser.add_argument("--server", nargs="+", choices=KINDS, help="what Kubat serves by")
    parser.add_argument("--rounds", type=int, default=Sizes.rounds, help="of each load")
    parser.add_argument("--profile", action="store_true", help="run Kubat under cProfile")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
