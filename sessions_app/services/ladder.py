"""The rows of a stop: the steps that were taken to end a transaction, and what came of each."""

from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from billing.models import User
from stations import alerts
from stations.commands import error_code
from stations.configuration import NO_SUCH_CALL
from stations.models import Command

from ..models import STOP_IGNORED, ChargingSession, StopStep

Kind, Outcome, Status = StopStep.Kind, StopStep.Outcome, Command.Status
REMOTE_STOPS = 3
"""How often a station is asked to stop before Kubat does anything else; it is asked on and on."""
BAR = "ChangeAvailability"
"""The call that bars the next start: it is wanted all the more when this charge is over."""
OUTCOMES = {
    "Accepted": Outcome.ACCEPTED,
    "Scheduled": Outcome.ACCEPTED,
    "Unlocked": Outcome.ACCEPTED,
    "NotSupported": Outcome.NOT_SUPPORTED,
}
"""What the answers of a station come to; any other is a refusal."""


def steps_of(session: ChargingSession) -> list[StopStep]:
    """The steps of the stop that is going on, in order."""
    return list(session.stop_steps.going_on().order_by("taken_at", "id"))


def take(
    session: ChargingSession,
    kind: StopStep.Kind,
    *,
    command: Command | None = None,
    outcome: StopStep.Outcome = Outcome.WAITING,
    asked_by: User | None = None,
    reason: str = "",
) -> StopStep:
    """Write down a step; that it is needed says that those before it did not help.

    The caller holds the session's lock.
    """
    earlier = session.stop_steps.going_on().filter(
        kind__in=StopStep.ENDING, outcome=Outcome.ACCEPTED
    )
    if kind != Kind.BAR:  # which is no try to end anything
        earlier.update(outcome=Outcome.NO_EFFECT)
    return StopStep.objects.create(
        session=session,
        kind=kind,
        outcome=outcome,
        command_id=command.pk if command else None,
        energy_wh=session.energy_wh,
        asked_by=asked_by,
        reason=reason,
    )


def may_stand_still(session: ChargingSession) -> bool:
    """Whether the station may hold the profile that leaves the charge nothing."""
    never = (Outcome.NOT_SENT, Outcome.NOT_SUPPORTED, Outcome.REJECTED)
    zeros = session.stop_steps.going_on().filter(kind=Kind.ZERO_PROFILE)
    return zeros.exclude(outcome__in=never).exists()


def note_remote_stop(session: ChargingSession, command: Command) -> None:
    """Count a RemoteStop as a step; after the first few it is only said again and again."""
    if session.stop_steps.going_on().filter(kind=Kind.REMOTE_STOP).count() < REMOTE_STOPS:
        take(session, Kind.REMOTE_STOP, command=command)


def hear(command: Command) -> None:
    """Write down what became of a step whose command has just ended.

    The caller holds the lock of the command's session.
    """
    step = StopStep.objects.filter(command_id=command.pk).first()
    if step is None:
        return
    step.answer = answer_of(command)[:50]
    step.outcome = _outcome(command)
    step.answered_at = timezone.now()
    step.save(update_fields=["answer", "outcome", "answered_at"])


def close(session: ChargingSession) -> None:
    """The stop is over: what was not sent is not needed, and the operator's alert is resolved.

    A step that was sent and not answered yet gets its outcome when its answer comes. Repeating it
    is harmless.
    """
    is_unsent = When(~Q(kind=Kind.BAR), outcome=Outcome.WAITING, then=Value(Outcome.NOT_SENT.value))
    session.stop_steps.going_on().update(
        closed_at=timezone.now(), outcome=Case(is_unsent, default=F("outcome"))
    )
    alerts.resolve_alert(STOP_IGNORED, str(session.pk))


def answer_of(command: Command) -> str:
    """The status that a station answered, or the code of what came instead."""
    return str((command.response or {}).get("status") or error_code(command))


def _outcome(command: Command) -> StopStep.Outcome:
    code = error_code(command)
    if command.sent_at is None:
        return Outcome.NOT_SENT
    if code in NO_SUCH_CALL:
        return Outcome.NOT_SUPPORTED
    if code == "disconnected":
        return Outcome.CUT_OFF
    if command.status == Status.TIMED_OUT:
        return Outcome.NO_ANSWER
    return OUTCOMES.get(answer_of(command), Outcome.REJECTED)
