"""Metrics for Prometheus: right whichever process is asked.

`rows` tells what the rows say, `sums` what the worker helps to sum up, `processes` what all
processes have measured of themselves. Nothing here reads a table that grows with time.

Money is in major units, as Prometheus wants base units; the books stay integers.
"""

from .view import REGISTRY, metrics

__all__ = ["REGISTRY", "metrics"]
