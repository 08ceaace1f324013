"""Who did what to stations, sites and tariffs, and why (P10): the log that all apps share."""

from billing.audit import ADDITION, CHANGE, DELETION, record

__all__ = ["ADDITION", "CHANGE", "DELETION", "record"]
