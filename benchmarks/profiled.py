"""Run manage.py under cProfile, all threads of it: `python -m benchmarks.profiled FILE serve …`.

It counts CPU time, so that threads that wait are not in the way. The sums of all threads are
written to FILE when the process ends.
"""

import cProfile
import io
import os
import pstats
import sys
import threading
import time
from typing import Any

_profiles: list[cProfile.Profile] = []


def main(file: str, arguments: list[str]) -> None:
    run = threading.Thread.run

    def run_profiled(thread: threading.Thread) -> None:
        with _new_profile():
            run(thread)

    threading.Thread.run = run_profiled  # type: ignore[assignment, method-assign]
    try:
        with _new_profile():
            _manage(arguments)
    finally:
        _write(file)


def _new_profile() -> cProfile.Profile:
    profile = cProfile.Profile(time.thread_time)
    _profiles.append(profile)
    return profile


def _manage(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *arguments])


def _write(file: str) -> None:
    total: Any = None
    for profile in _profiles.copy():
        profile.create_stats()
        if not profile.stats:
            continue
        if total is None:
            total = pstats.Stats(profile)
        else:
            total.add(profile)
    if total is not None:
        total.dump_stats(file)


def tell(file: str, *, lines: int = 40) -> str:
    """The functions that took the most time, themselves and with what they called."""
    text = io.StringIO()
    stats = pstats.Stats(file, stream=text).strip_dirs()
    stats.sort_stats("tottime").print_stats(lines)
    stats.sort_stats("cumtime").print_stats(lines)
    return text.getvalue()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
