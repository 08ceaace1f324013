"""The nightly results of reconcile: read-only."""

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from billing.admin.base import ReadOnlyAdmin
from billing.admin.display import EMPTY, money, table
from billing.models import Account

from ..models import ReconcileRun

FINDING = ("code", "subject", "text", "expected", "found")
TOTAL = ("opening_minor", "debits_minor", "credits_minor", "closing_minor")


@admin.register(ReconcileRun)
class ReconcileRunAdmin(ReadOnlyAdmin):
    list_display = ("day", "outcome", "how_many", "started_at", "finished_at")
    list_filter = ("exit",)
    search_fields = ("day",)
    ordering = ("-day",)
    fields = readonly_fields = (
        "day",
        "outcome",
        "error",
        "codes",
        "finding_table",
        "total_table",
        "time_zone",
        "started_at",
        "finished_at",
    )

    @admin.display(description=_("result"), ordering="exit")
    def outcome(self, run: ReconcileRun) -> str:
        return run.outcome

    @admin.display(description=_("findings"))
    def how_many(self, run: ReconcileRun) -> int | str:
        return EMPTY if run.exit is None else sum(run.counts.values())

    @admin.display(description=_("how many of each"))
    def codes(self, run: ReconcileRun) -> SafeString | str:
        rows = list(run.counts.items())
        return table((_("code"), _("findings")), rows) if rows else EMPTY

    @admin.display(description=_("the first findings"))
    def finding_table(self, run: ReconcileRun) -> SafeString | str:
        headers = (_("code"), _("row"), _("what is wrong"), _("expected"), _("found"))
        rows = [[finding[name] for name in FINDING] for finding in run.findings]
        return table(headers, rows) if rows else EMPTY

    @admin.display(description=_("totals of the day"))
    def total_table(self, run: ReconcileRun) -> SafeString | str:
        headers = (_("account"), _("opening"), _("debits"), _("credits"), _("closing"))
        rows = [
            [Account.Kind(total["kind"]).label, *(money(total[name]) for name in TOTAL)]
            for total in run.totals
        ]
        return table(headers, rows) if rows else EMPTY
