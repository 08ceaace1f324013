"""What was said on the wire, beside what was stored (P3, P4, P5)."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator

from ..evidence import Evidence
from ..finding import Finding
from ..journal import CALL, Exchange
from .charges import sessions_by_transaction

OF_TRANSACTIONS = ("StartTransaction", "MeterValues", "StopTransaction")


def check_answers(evidence: Evidence) -> Iterator[Finding]:
    """P5: each call about a transaction was answered, then or when it was sent again."""
    answered = {_identity(row) for row in evidence.seen.exchanges if row.is_confirmed}
    reported: set[tuple[str, str, str]] = set()
    for row in evidence.seen.exchanges:
        identity = _identity(row)
        if row.action in OF_TRANSACTIONS and identity not in answered | reported:
            reported.add(identity)
            text = f"{row.action} {row.payload} was never confirmed"
            yield _of(row, "P5", "call_unanswered", text)


def check_errors(evidence: Evidence) -> Iterator[Finding]:
    """P5, P6: every call of these stations is right, so none is answered by a CALLERROR."""
    for row in evidence.seen.exchanges:
        if row.error:
            code = "stop_refused" if row.action == "StopTransaction" else "call_refused"
            yield _of(row, "P5", code, f"{row.action} was answered with {row.error}")


def check_stored_starts(evidence: Evidence) -> Iterator[Finding]:
    """P3, P4: a start that was answered is stored under the number that it got, always the same."""
    sessions = sessions_by_transaction(evidence)
    numbers: dict[tuple[str, str, str], int] = {}
    for row in _confirmed(evidence, "StartTransaction"):
        assert row.answer is not None
        number = row.answer["transactionId"]
        if not sessions.get((row.station_id, number)):
            text = f"it was answered with transaction {number}, which is no session's"
            yield _of(row, "P4", "start_lost", text)
        first = numbers.setdefault(_identity(row), number)
        if first != number:
            text = f"the same start got the numbers {first} and {number}"
            yield _of(row, "P3", "start_renumbered", text)


def check_stored_stops(evidence: Evidence) -> Iterator[Finding]:
    """P4: a stop that was answered is on its session."""
    sessions = sessions_by_transaction(evidence)
    for row in _confirmed(evidence, "StopTransaction"):
        number = row.payload["transactionId"]
        if not any(session.has_stop for session in sessions.get((row.station_id, number), [])):
            text = f"the stop of transaction {number} was confirmed and is not stored"
            yield _of(row, "P4", "stop_lost", text)


def check_stored_readings(evidence: Evidence) -> Iterator[Finding]:
    """P4: each sample that was confirmed is a reading of its session.

    What precedes its start by the station's clock is none by the rules.
    """
    sessions = sessions_by_transaction(evidence)
    stored = {(row.session_id, row.at) for row in evidence.rows.readings}
    reported: set[tuple[str, dt.datetime]] = set()
    for row in _confirmed(evidence, "MeterValues"):
        number = row.payload.get("transactionId", 0)
        for at in _moments(row):
            for session in sessions.get((row.station_id, number), []):
                is_within = session.meter_start_at is None or at >= session.meter_start_at
                key = (session.id, at)
                if is_within and key not in stored and key not in reported:
                    reported.add(key)
                    text = f"the sample of {at:%H:%M:%S.%f} was confirmed and is not stored"
                    yield _of(row, "P4", "reading_lost", text)


def check_readings_once(evidence: Evidence) -> Iterator[Finding]:
    """P3: a moment of a session is one reading."""
    counts = Counter((row.session_id, row.at) for row in evidence.rows.readings if row.session_id)
    for (session_id, at), count in counts.items():
        if count > 1:
            text = f"{count} readings of {at}"
            yield Finding("P3", "reading_repeated", text, session_id=session_id)


def _confirmed(evidence: Evidence, action: str) -> Iterator[Exchange]:
    return (row for row in evidence.seen.exchanges if row.action == action and row.is_confirmed)


def _identity(row: Exchange) -> tuple[str, str, str]:
    return row.station_id, row.action, json.dumps(row.payload, sort_keys=True)


def _moments(row: Exchange) -> Iterator[dt.datetime]:
    for value in row.payload.get("meterValue", []):
        yield dt.datetime.fromisoformat(value["timestamp"])


def _of(row: Exchange, promise: str, code: str, text: str) -> Finding:
    number = row.payload.get("transactionId")
    sought = f'#{row.connection} → [{CALL}, "{row.message_id}"'
    return Finding(promise, code, text, "", row.station_id, number, sought)
