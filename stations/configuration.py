"""What a station's answers teach us about its configuration."""

from .models import Command


def absorb(command: Command) -> None:
    """Learn from a command that has just ended, in the transaction that ends it."""
