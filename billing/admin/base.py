"""What the admin pages of every app share: bounded lists, read-only records, refusals as errors."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.admin.utils import unquote
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator

from ..errors import KubatError
from ..pages import BoundedPaginator
from . import refusal
from .fields import ReasonField
from .reasoned import button_of

MAX_PAGES = 200


class UncountedPaginator(InfinitePaginator):
    """Pages of a table that is too large to count. Who looks further back filters by time."""

    @cached_property
    def count(self) -> int:
        return int(self.per_page) * MAX_PAGES


class ReasonedModelForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic when it runs
    """A form that asks why; the answer goes to the log."""

    reason = ReasonField()


class KubatAdmin(ModelAdmin):
    """A page of Kubat's back office: its buttons by permission, its refusals on the form.

    Every form asks for a reason. Nothing is deleted but by a button.
    """

    form: Any = ReasonedModelForm
    list_per_page = 50
    list_max_show_all = 0
    list_filter_submit = True
    show_full_result_count = False
    paginator: Any = BoundedPaginator
    warn_unsaved_form = True

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Ask for the reason last, of those who may save; others see only what the row has."""
        may_save = (
            self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        )
        columns = {field.name for field in self.opts.get_fields()}
        asked = {"reason"} if may_save else set(self.form.declared_fields) - columns
        fieldsets = [
            (name, {**options, "fields": [f for f in options["fields"] if f not in asked]})
            for name, options in super().get_fieldsets(request, obj)
        ]
        return [*fieldsets, (_("Why"), {"fields": ["reason"]})] if may_save else fieldsets

    def construct_change_message(
        self, request: HttpRequest, form: forms.BaseForm, formsets: Any, add: bool = False
    ) -> Any:
        """What was changed, and why, as one line of the log."""
        changed = [name for name in form.changed_data if name != "reason"]
        reason = form.cleaned_data.get("reason", "")
        return " · ".join(part for part in ("" if add else ", ".join(changed), reason) if part)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {
            name: entry
            for name, entry in super().get_actions(request).items()
            if (button := button_of(entry[0])) is None or button.is_for(request, None)
        }

    def get_actions_list(self, request: HttpRequest) -> list[Any]:
        return _offered(super().get_actions_list(request), request, None)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        row = self.get_object(request, unquote(str(object_id)))
        return _offered(super().get_actions_detail(request, object_id), request, row)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the form again, with the error, when a use case refuses to save."""
        view: Callable[..., HttpResponse] = super().changeform_view
        try:
            return view(request, object_id, form_url, extra_context)
        except KubatError as error:
            request.refusal = error  # type: ignore[attr-defined]  # read by get_form
            return view(request, object_id, form_url, extra_context)

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any
    ) -> "type[forms.ModelForm[Any]]":
        form = super().get_form(request, obj, change=change, **kwargs)
        error: KubatError | None = getattr(request, "refusal", None)
        return _refused(form, error) if error else form


class SelfRecordedAdmin(KubatAdmin):
    """Rows whose use cases note by themselves who did what and why."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        pass

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        pass


class ReadOnlyAdmin(KubatAdmin):
    """Rows that only use cases write: to be looked at, and acted on by buttons alone."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class DiaryAdmin(ReadOnlyAdmin):
    """Read-only rows that come by the thousand: never counted."""

    paginator = UncountedPaginator


class RecordInline(TabularInline):
    """Read-only rows on the page of the row that they belong to, some at a time."""

    extra = 0
    max_num = 0
    can_delete = False
    per_page = 20
    tab = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def _offered(actions: list[Any], request: HttpRequest, row: Model | None) -> list[Any]:
    return [
        action
        for action in actions
        if (button := button_of(action.method)) is None or button.is_for(request, row)
    ]


def _refused(form: "type[forms.ModelForm[Any]]", error: KubatError) -> "type[forms.ModelForm[Any]]":
    """The same form, which finds the use case's error when it is validated."""

    class RefusedForm(form):  # type: ignore[valid-type,misc]  # the base is known at run time
        def _post_clean(self) -> None:
            super()._post_clean()
            refusal.show(self, error)

    return RefusedForm
