"""Signed webhooks to the operator's own systems (docs/webhooks.md)."""
