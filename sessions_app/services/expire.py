"""What happens because time passes: starts that never begin, stops that never end, silence."""

import datetime as dt


def run_due(now: dt.datetime, *, limit: int = 100) -> int:
    """Do what is due at `now`, one transaction a row; return how many rows were looked at.

    Called by the worker about once a second, by any number of workers at once.
    """
    raise NotImplementedError
