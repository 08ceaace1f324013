"""What lists can be narrowed to. Whose rows are seen at all is decided in the views."""

from django.db.models import Q, QuerySet
from django.utils import timezone
from django_filters import (
    BaseInFilter,
    CharFilter,
    ChoiceFilter,
    FilterSet,
    IsoDateTimeFilter,
    UUIDFilter,
)

from ..models import ChargingSession, IdTag, SessionStatus

TAG_STATES = [*IdTag.Status.values, "Expired"]


class StatusesFilter(BaseInFilter, ChoiceFilter):
    """One status, or several with commas between."""


class SessionFilter(FilterSet):
    station_id = CharFilter(method="at_station", help_text="The station's identity.")
    status = StatusesFilter(
        choices=SessionStatus.choices, help_text="One status, or several with commas between."
    )
    started_after = IsoDateTimeFilter(field_name="started_at", lookup_expr="gte")
    started_before = IsoDateTimeFilter(field_name="started_at", lookup_expr="lt")

    class Meta:
        model = ChargingSession
        fields: list[str] = []

    def at_station(
        self, rows: QuerySet[ChargingSession], _name: str, station_id: str
    ) -> QuerySet[ChargingSession]:
        return rows.filter(station__identity=station_id.casefold())


class IdTagFilter(FilterSet):
    user_id = UUIDFilter(field_name="user_id")
    status = ChoiceFilter(choices=[(state, state) for state in TAG_STATES], method="in_state")
    search = CharFilter(
        method="matching", help_text="A part of the tag, its parent tag or its driver's name."
    )

    class Meta:
        model = IdTag
        fields: list[str] = []

    def in_state(self, rows: QuerySet[IdTag], _name: str, state: str) -> QuerySet[IdTag]:
        """Expired is an accepted tag whose time is over; a blocked one stays blocked."""
        if state == IdTag.Status.BLOCKED:
            return rows.filter(status=state)
        is_over = Q(expires_at__isnull=False, expires_at__lte=timezone.now())
        accepted = rows.filter(status=IdTag.Status.ACCEPTED)
        return accepted.filter(is_over) if state == "Expired" else accepted.exclude(is_over)

    def matching(self, rows: QuerySet[IdTag], _name: str, text: str) -> QuerySet[IdTag]:
        return rows.filter(
            Q(identity__contains=text.casefold())
            | Q(parent_id_tag__icontains=text)
            | Q(user__username__icontains=text)
            | Q(user__name__icontains=text)
        )
