"""How long each connector was there to be used (docs/uptime.md)."""
