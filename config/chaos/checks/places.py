"""Presence (P7), what is left to do (P6), who may do what (P10), and what others report."""

from collections.abc import Iterator

from ..evidence import Evidence
from ..finding import Finding

OPEN_COMMANDS = ("queued", "sent")


def check_presence(evidence: Evidence) -> Iterator[Finding]:
    """P7: at rest each station is online by its row and at every server, and can be reached."""
    for row in evidence.rows.stations:
        if not row.is_online:
            yield Finding("P7", "offline", "its row says offline", station_id=row.station_id)
    for seen in evidence.seen.presences:
        if not seen.is_online:
            text = f"{seen.server} shows it offline"
            yield Finding("P7", "offline", text, station_id=seen.station_id)
        if seen.command != "answered":
            text = f"a command given at {seen.server} ended as {seen.command}"
            yield Finding("P7", "unreachable", text, station_id=seen.station_id)


def check_commands(evidence: Evidence) -> Iterator[Finding]:
    """P6: at rest no command waits."""
    for row in evidence.rows.commands:
        if row.status in OPEN_COMMANDS:
            text = f"command {row.id} ({row.action}) is {row.status}"
            yield Finding("P6", "command_open", text, station_id=row.station_id)


def check_fences(evidence: Evidence) -> Iterator[Finding]:
    """P7: each handshake that was accepted raised the fence, and nothing else did."""
    for row in evidence.rows.stations:
        least = evidence.seen.admitted.get(row.station_id, 0)
        most = evidence.seen.dialled.get(row.station_id, 0)
        if not least <= row.fence <= most:
            text = f"its fence is {row.fence} after {least} accepted of {most} handshakes"
            yield Finding("P7", "fence_wrong", text, station_id=row.station_id)


def check_reports(evidence: Evidence) -> Iterator[Finding]:
    """What `reconcile`, the simulator, the programs and the trespassers report."""
    for text in evidence.seen.reconcile:
        yield Finding("P2", "reconcile", text)
    for text in evidence.seen.trespasses:
        yield Finding("P10", "trespass", text)
    for text in evidence.seen.failures:
        yield Finding("P5", "failure", text)
