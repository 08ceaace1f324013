"""Prove the promises on money and sessions from the rows (design section 3).

Each check is a small function that reads and yields findings; nothing here changes a row unless
a finding's `fix` is called. `examine` and `repair` in `run` are the way in.
"""

from .finding import Finding
from .nightly import run_nightly
from .run import examine, repair
from .snapshot import snapshot

__all__ = ["Finding", "examine", "repair", "run_nightly", "snapshot"]
