"""A station that does not stop, and a worker that looks every ten seconds."""

from sessions_app.models import ChargingSession, StopStep
from sessions_app.services import calls, expire
from sessions_app.tests.stage import Stage
from stations.models import Alert, Station

SMART = {"SupportedFeatureProfiles": {"value": "Core,SmartCharging"}}
PLAIN = {"SupportedFeatureProfiles": {"value": "Core,RemoteTrigger"}}


class Ignorer:
    """Answers calls as it is told, by action, and goes on delivering all the same.

    A silent one lets its calls end in their time. `said` are the calls that it was sent.
    """

    def __init__(self, stage: Stage, session: ChargingSession, **answers: str | None):
        self.stage, self.session, self.answers = stage, session, answers
        self.said: list[str] = []

    def look(self, times: int = 1) -> None:
        """Hear what is queued, then let the worker look when it is due, so many times."""
        for _ in range(times):
            self.hear()
            self.session.refresh_from_db()
            expire.run_due(self.session.due_at)

    def hear(self) -> None:
        """Take the calls that are queued, and answer them; one that is silent is asked again."""
        while command := self.stage.take_command():
            self.said.append(command.action)
            answer = self.answers.get(command.action, "Accepted")
            if answer is None:
                calls.record_silence(command.pk)
                return
            if answer.startswith("!"):
                calls.record_refusal(command.pk, answer[1:], "")
            else:
                self.stage.answer(command, answer)


def steps(session: ChargingSession) -> list[tuple[str, str]]:
    """Kind and outcome of each step, in order."""
    rows = StopStep.objects.filter(session=session).order_by("taken_at", "id")
    return list(rows.values_list("kind", "outcome"))


def open_alerts() -> int:
    return Alert.objects.filter(kind="stop_ignored", resolved_at=None).count()


def alerts_ever() -> list[int]:
    """How often each alert was opened, again or for the first time."""
    return list(Alert.objects.filter(kind="stop_ignored").values_list("count", flat=True))


def told_configuration(stage: Stage, configuration: dict[str, object]) -> None:
    Station.objects.filter(pk=stage.station.pk).update(configuration=configuration)
