"""The shortest account of a finding: what happened to its session, on the wire and around it."""

import datetime as dt
from collections.abc import Iterator

from .evidence import Evidence, SessionRow
from .finding import Finding
from .journal import Line

AROUND = dt.timedelta(seconds=4)
MOST_LINES = 80
KEPT_END = 25
TEXT_WIDTH = 260
TELLING = ("FAULT", "StartTransaction", "StopTransaction", "RemoteSt", "dials", "is gone", "lost")


def tell(finding: Finding, evidence: Evidence) -> Iterator[str]:
    """Lines in the order of time: the session's events, frames of its station, and faults."""
    session = _session_of(finding, evidence)
    station_id = finding.station_id or (session.station_id if session else "")
    if session:
        yield f"session {session.id}: {session.status} {session.error_code}".rstrip()
        yield (
            f"  transaction {session.transaction_id} at {station_id}/{session.connector_id}, "
            f"{session.energy_wh} Wh, cost {session.cost_minor} of hold {session.hold_minor}, "
            f"flags {list(session.flags)}"
        )
        for row in evidence.rows.transfers:
            if row.reference == session.reference:
                yield f"  transfer {row.kind} {row.code} {row.amount_minor} ({row.key})"
    lines = list(_around(session, station_id, finding.sought, evidence))
    if len(lines) > MOST_LINES:
        left_out = f"           (… {len(lines) - MOST_LINES} lines …)"
        lines = [*lines[: MOST_LINES - KEPT_END], left_out, *lines[-KEPT_END:]]
    yield from lines


def _session_of(finding: Finding, evidence: Evidence) -> SessionRow | None:
    for row in evidence.rows.sessions:
        is_same = (row.station_id, row.transaction_id) == (
            finding.station_id,
            finding.transaction_id,
        )
        if row.id == finding.session_id or (finding.transaction_id and is_same):
            return row
    return None


def _around(
    session: SessionRow | None, station_id: str, sought: str, evidence: Evidence
) -> Iterator[str]:
    lines = [line for line in evidence.seen.lines if line.station_id in ("", station_id)]
    if session:
        own = [row for row in evidence.rows.events if row.session_id == session.id]
        lines += [Line(row.at, station_id, f"EVENT {row.text}") for row in own]
        moments = [session.requested_at, *(row.at for row in own)]
    else:
        moments = [line.at for line in lines if sought and sought in line.text]
    numbered = f'"transactionId": {session.transaction_id}' if session else sought
    if moments:
        first, last = min(moments) - AROUND, max(moments) + AROUND
        lines = [
            line
            for line in lines
            if first <= line.at <= last or (numbered and numbered in line.text)
        ]
    telling = [line for line in lines if _is_telling(line, session)]
    return (_written(line) for line in sorted(telling, key=lambda line: line.at))


def _is_telling(line: Line, session: SessionRow | None) -> bool:
    if ("MeterValues" in line.text and "→" in line.text) or " kWh at " in line.text:
        return False
    is_named = any(word in line.text for word in (*TELLING, "EVENT", "says:", '"transactionId"'))
    return is_named or bool(session and session.id_tag in line.text) or "[4," in line.text


def _written(line: Line) -> str:
    text = line.text if len(line.text) <= TEXT_WIDTH else f"{line.text[:TEXT_WIDTH]} …"
    return f"  {line.at:%H:%M:%S.%f}"[:-3] + f"  {text}"
