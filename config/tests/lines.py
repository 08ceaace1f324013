"""What is written to the log while a test runs, as the JSON that an operator would collect."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from config.logs import Json


class Lines:
    def __init__(self) -> None:
        self._stream = io.StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(Json())

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    def of(self, logger: str) -> list[dict[str, Any]]:
        """The lines of one logger."""
        told = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in told if line["logger"] == logger]


@contextmanager
def collected(level: int = logging.INFO) -> Iterator[Lines]:
    """Collect what all loggers write while the block runs."""
    lines, root = Lines(), logging.getLogger()
    before = root.level
    root.addHandler(lines.handler)
    root.setLevel(level)
    try:
        yield lines
    finally:
        root.removeHandler(lines.handler)
        root.setLevel(before)
