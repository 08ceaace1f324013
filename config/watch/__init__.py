"""Rules that look for trouble by themselves: each opens an alert once for one cause, and resolves
it once when the cause is gone (docs/alerts.md)."""

from .run import run_due

__all__ = ["run_due"]
