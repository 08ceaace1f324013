"""Charges: what stations counted and drivers asked for, beside the sessions (P3, P4, P8)."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from ..evidence import Charge, Evidence, SessionRow
from ..finding import Finding

SETTLED = ("completed", "error", "review")
DOUBTS_OF_CLOCKS = {"clock_changed", "clock_unknown", "implausible_energy"}
OTHER_DOUBTS = {"energy_after_refusal"}


def check_settled(evidence: Evidence) -> Iterator[Finding]:
    """At rest each session is completed, failed, or left to an operator."""
    for session in evidence.rows.sessions:
        if session.status not in SETTLED:
            text = f"it is {session.status} at rest"
            yield Finding("P6", "session_open", text, session.id, session.station_id)
    for text in evidence.seen.unrest:
        yield Finding("P6", "no_rest", text)


def check_told(evidence: Evidence) -> Iterator[Finding]:
    """P3, P4: each charge that a station counted is one session, and its stop was confirmed."""
    sessions = sessions_by_transaction(evidence)
    for charge in evidence.seen.charges:
        found = sessions.get((charge.station_id, charge.transaction_id or 0), [])
        if not charge.is_told:
            yield _of(charge, "charge_not_told", "its stop was never confirmed")
        if len(found) != 1:
            yield _of(charge, "charge_lost", f"it has {len(found)} sessions")
    starts = Counter(
        (row.station_id, row.connector_id, row.meter_start_wh, row.meter_start_at)
        for row in evidence.rows.sessions
        if row.transaction_id is not None
    )
    for (station_id, connector_id, meter_wh, at), count in starts.items():
        if count > 1:
            text = f"{count} sessions began at {connector_id}, {meter_wh} Wh, {at}"
            yield Finding("P3", "start_repeated", text, station_id=station_id)
    counted = {(row.station_id, row.transaction_id) for row in evidence.seen.charges}
    for (station_id, number), rows in sessions.items():
        if (station_id, number) not in counted:
            text = "no station counted its transaction"
            yield Finding("P3", "charge_invented", text, rows[0].id, station_id, number)


def check_counted(evidence: Evidence) -> Iterator[Finding]:
    """The energy of a completed session is what its station counted for the transaction."""
    sessions = sessions_by_transaction(evidence)
    kept = {row.session_id for row in evidence.rows.orphans}
    for charge in evidence.seen.charges:
        for session in sessions.get((charge.station_id, charge.transaction_id or 0), []):
            if session.status != "completed" or session.id in kept or not charge.is_told:
                continue
            counted_wh = (charge.meter_stop_wh or 0) - charge.meter_start_wh
            if session.energy_wh != counted_wh:
                yield Finding(
                    "P4",
                    "energy_wrong",
                    f"billed are {session.energy_wh} Wh, the station counted {counted_wh} Wh",
                    session.id,
                    session.station_id,
                    session.transaction_id,
                )


def check_wishes(evidence: Evidence) -> Iterator[Finding]:
    """P3: a start that was asked for under one key made one session, and is the driver's own.

    One that was never answered made at most one.
    """
    remote = {row.id: row for row in evidence.rows.sessions if row.origin == "remote"}
    told = Counter(wish.session_id for wish in evidence.seen.wishes if wish.session_id)
    for wish in evidence.seen.wishes:
        if not wish.session_id:
            continue
        session = remote.get(wish.session_id)
        if session is None:
            text = f"a start was answered {wish.status} with session {wish.session_id}, no row"
            yield Finding("P4", "session_lost", text, station_id=wish.station_id)
        elif session.user_id != wish.user_id or told[wish.session_id] > 1:
            yield Finding("P3", "start_shared", "it answers the starts of several", session.id)
    unanswered = sum(1 for wish in evidence.seen.wishes if not wish.status)
    unasked = remote.keys() - told.keys()
    if len(unasked) > unanswered:
        text = f"{len(unasked)} sessions answer {unanswered} starts without an answer: {unasked}"
        yield Finding("P3", "start_repeated", text, session_id=min(unasked))


def check_review(evidence: Evidence) -> Iterator[Finding]:
    """P8: a session is left to an operator only where something was in doubt."""
    for session in evidence.rows.sessions:
        if session.status != "review":
            continue
        doubts = set(OTHER_DOUBTS)
        if session.station_id in evidence.seen.wrong_clocks:
            doubts |= DOUBTS_OF_CLOCKS
        if doubts.isdisjoint(session.flags):
            text = f"it is in review with the flags {list(session.flags)}"
            yield Finding("P8", "review_unexplained", text, session.id, session.station_id)


def check_orphans(evidence: Evidence) -> Iterator[Finding]:
    """P8: nothing of our own stations is unattributed, but what a wrong clock made incredible."""
    for row in evidence.rows.orphans:
        if not (row.session_id and row.station_id in evidence.seen.wrong_clocks):
            text = f"a {row.kind} is unattributed: {row.cause}"
            yield Finding("P8", "unattributed", text, row.session_id, row.station_id)


def sessions_by_transaction(
    evidence: Evidence,
) -> defaultdict[tuple[str, int], list[SessionRow]]:
    found: defaultdict[tuple[str, int], list[SessionRow]] = defaultdict(list)
    for row in evidence.rows.sessions:
        if row.transaction_id is not None:
            found[row.station_id, row.transaction_id].append(row)
    return found


def _of(charge: Charge, code: str, text: str) -> Finding:
    where = f"connector {charge.connector_id}, from {charge.meter_start_wh} Wh"
    return Finding(
        "P4",
        code,
        f"{text} ({where})",
        station_id=charge.station_id,
        transaction_id=charge.transaction_id,
        sought=f'"meterStart": {charge.meter_start_wh},',
    )
