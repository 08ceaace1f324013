"""A station is back: its sessions are no longer lost, and unfinished stops are asked again."""

from stations.models import Station


def resume(*, station: Station) -> None:
    """Take note of a new socket of this station. Called after each accepted handshake."""
    raise NotImplementedError
