"""How drivers pay in."""
