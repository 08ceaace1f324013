"""By what the list of stations is filtered."""

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.admin.filters import CaseFilter, Cases

from ..models import Station


class OnlineFilter(CaseFilter):
    title = _("connection")
    parameter_name = "online"

    def cases(self) -> Cases:
        is_online = Q(pk__in=Station.objects.online().values("pk"))
        return {"1": (_("online"), is_online), "0": (_("offline"), ~is_online)}


class ClockFilter(CaseFilter):
    title = _("clock")
    parameter_name = "clock"

    def cases(self) -> Cases:
        bound = settings.CSMS_CLOCK_TOLERANCE_S
        is_right = Q(clock_offset_s__range=(-bound, bound))
        is_unknown = Q(clock_offset_s__isnull=True)
        return {
            "off": (_("off"), ~is_right & ~is_unknown),
            "right": (_("right"), is_right),
            "unknown": (_("not known"), is_unknown),
        }
