"""Filters of the lists: named cases, and from one moment to another."""

import datetime as dt
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.utils import parse_datetime_str

from .display import Text

Cases = dict[str, tuple[Text, Q]]


class CaseFilter(admin.SimpleListFilter):
    """A choice between cases that a subclass names, each with its condition."""

    def cases(self) -> Cases:
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(value, label) for value, (label, _condition) in self.cases().items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        case = self.cases().get(self.value() or "")
        return queryset.filter(case[1]) if case else queryset


class ResolvedFilter(CaseFilter):
    """For rows with a `resolved_at`."""

    title = _("state")
    parameter_name = "open"

    def cases(self) -> Cases:
        return {
            "1": (_("open"), Q(resolved_at__isnull=True)),
            "0": (_("resolved"), Q(resolved_at__isnull=False)),
        }


class MomentFilter(RangeDateTimeFilter):
    """From one moment to another; a date without a time begins at midnight."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        bounds = {"gte": self._moment("from"), "lte": self._moment("to")}
        return queryset.filter(
            **{f"{self.field_path}__{operator}": at for operator, at in bounds.items() if at}
        )

    def _moment(self, side: str) -> dt.datetime | None:
        date, time = (self.used_parameters.get(f"{self.field_path}_{side}_{i}") for i in (0, 1))
        moment = parse_datetime_str(f"{date} {time or '00:00'}")
        return timezone.make_aware(moment) if moment else None
