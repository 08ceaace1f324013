"""Buttons of the back office: each asks for a reason, calls one use case and records who did it.

A button is a method of a ModelAdmin under `@reasoned`. Named in `actions_detail` it stands on the
page of one row, in `actions` it serves the rows that were selected in the list, in
`actions_list` it stands above the list and concerns no row yet. It shows a page with its form;
only the POST of that page acts. It knows nothing of what an action does.
"""

import functools
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action as unfold_action
from unfold.enums import ActionVariant

from ..errors import KubatError
from ..models import IdempotentRequest, User
from . import refusal
from .display import Text
from .fields import ReasonField

Admin: TypeAlias = "ModelAdmin[Any]"
Row = TypeVar("Row", bound=Model | None)
Refused = tuple[Any, KubatError]
"""A row that an action could not be carried out on, and why."""

MAX_ROWS = 100
SUBMIT = "_submit"


class ReasonForm(forms.Form):
    """The form of every action; a subclass adds the action's own fields.

    `page` names one showing of the form, so that posting it twice acts once.
    """

    reason = ReasonField()
    page = forms.UUIDField(initial=uuid.uuid4, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, row: Any = None) -> None:
        """`row` is what the action is for, None when it is for many or for nothing yet."""
        super().__init__(data)
        self.order_fields([*(name for name in self.fields if name != "reason"), "reason"])


@dataclass(frozen=True, slots=True)
class Act(Generic[Row]):
    """One action on one row: by whom, why, and with which values of the action's form."""

    row: Row
    actor: User
    reason: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """What an action tells its actor, and where it leads if the row is gone."""

    text: Text
    level: int = messages.SUCCESS
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class ReasonedAction:
    """A button: who may press it, for which rows it is shown, its form and what it does.

    `is_logged` is false where the use case itself notes who did what and why.
    """

    name: str
    label: Text
    permission: str
    form: type[ReasonForm]
    is_offered: Callable[[Any], bool]
    is_logged: bool
    run: Callable[[Any, Act[Any]], Done]

    def is_for(self, request: HttpRequest, row: Model | None) -> bool:
        """Whether to show the button; the use case has the last word when it is pressed."""
        is_allowed = actor_of(request).has_perm(self.permission)
        return is_allowed and (row is None or self.is_offered(row))


def reasoned(
    *,
    label: Text,
    permission: str,
    form: type[ReasonForm] = ReasonForm,
    is_offered: Callable[[Any], bool] = lambda row: True,
    is_logged: bool = True,
    icon: str | None = None,
    variant: ActionVariant = ActionVariant.DEFAULT,
) -> Callable[[Callable[[Any, Act[Any]], Done]], Any]:
    """Make a button of a method that carries out one Act and may raise a KubatError."""

    def decorate(run: Callable[[Any, Act[Any]], Done]) -> Any:
        button = ReasonedAction(run.__name__, label, permission, form, is_offered, is_logged, run)

        @functools.wraps(run)
        def view(
            admin: Admin,
            request: HttpRequest,
            queryset: QuerySet[Any] | None = None,
            *,
            object_id: str | None = None,
        ) -> HttpResponse | None:
            if not actor_of(request).has_perm(permission) or not admin.has_view_permission(request):
                raise PermissionDenied
            if queryset is not None:
                return _serve_selection(admin, button, request, queryset)
            if object_id is not None:
                return _serve_row(admin, button, request, object_id)
            return _Visit(admin, button, request, [None], _list_of(admin)).answer()

        made = unfold_action(description=label, url_path=run.__name__, icon=icon, variant=variant)(
            view
        )
        made.button = button
        return made

    return decorate


def button_of(method: Any) -> ReasonedAction | None:
    """The button behind a method of a ModelAdmin; None for any other action."""
    return getattr(method, "button", None)


def actor_of(request: HttpRequest) -> User:
    """The member of staff behind a request that the admin site let through."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _serve_row(
    admin: Admin, button: ReasonedAction, request: HttpRequest, object_id: str
) -> HttpResponse:
    row = admin.get_object(request, unquote(object_id))
    if row is None:
        raise Http404
    if not admin.has_view_permission(request, row):
        raise PermissionDenied
    back = reverse(_route(admin, "change"), args=[object_id])
    return _Visit(admin, button, request, [row], back).answer()


def _serve_selection(
    admin: Admin, button: ReasonedAction, request: HttpRequest, rows: QuerySet[Any]
) -> HttpResponse | None:
    chosen = list(rows[: MAX_ROWS + 1])
    if len(chosen) > MAX_ROWS:
        text = _("Choose at most %(count)s rows.") % {"count": MAX_ROWS}
        messages.error(request, text)
        return None
    return _Visit(admin, button, request, chosen, request.get_full_path()).answer()


@dataclass(frozen=True, slots=True)
class _Visit:
    """One request to the page of a button, for these rows; `back` is where it came from."""

    admin: Admin
    button: ReasonedAction
    request: HttpRequest
    rows: list[Any]
    back: str

    def answer(self) -> HttpResponse:
        """Show the form, or act on each row; where nothing could be done it is shown again."""
        is_submitted = self.request.method == "POST" and SUBMIT in self.request.POST
        form = self.button.form(self.request.POST if is_submitted else None, row=self._only_row)
        if is_submitted and form.is_valid():
            done, refused = self._carry_out_all(form)
            if done:
                return self._tell(done, refused)
            for row, error in refused:
                refusal.show(form, error, about="" if row is self._only_row else str(row))
        return self._show(form)

    @property
    def _only_row(self) -> Any:
        return self.rows[0] if len(self.rows) == 1 else None

    def _carry_out_all(self, form: ReasonForm) -> tuple[list[Done], list[Refused]]:
        done: list[Done] = []
        refused: list[Refused] = []
        for row in self.rows:
            try:
                done.append(self._carry_out(form, row))
            except KubatError as error:
                refused.append((row, error))
        return done, refused

    @transaction.atomic
    def _carry_out(self, form: ReasonForm, row: Any) -> Done:
        """Act on one row once, and note who and why in the admin's log, in one commit."""
        values = dict(form.cleaned_data)
        reason, page = values.pop("reason"), values.pop("page")
        act = Act(row=row, actor=actor_of(self.request), reason=reason, values=values)
        _answer, is_first = IdempotentRequest.objects.get_or_create(
            user=act.actor,
            path=f"admin:{self.admin.opts.label_lower}:{self.button.name}",
            key=f"{page}:{row.pk if row else ''}",
            defaults={"status_code": 200},
        )
        if not is_first:
            return Done(_("This was done already."), messages.INFO)
        if row and self.button.is_logged:
            message = f"{self.button.label}: {reason}"
            LogEntry.objects.log_actions(act.actor.pk, [row], CHANGE, change_message=message)
        return self.button.run(self.admin, act)

    def _tell(self, done: list[Done], refused: list[Refused]) -> HttpResponse:
        for outcome in done:
            messages.add_message(self.request, outcome.level, str(outcome.text))
        for row, error in refused:
            messages.error(self.request, f"{row}: {error.detail}")
        is_gone = any(outcome.is_gone for outcome in done)
        return HttpResponseRedirect(_list_of(self.admin) if is_gone else self.back)

    def _show(self, form: ReasonForm) -> HttpResponse:
        page = {
            "opts": self.admin.opts,
            "title": self.button.label,
            "subtitle": self._only_row,
            "media": self.admin.media + form.media,
            "form": form,
            "rows": [row for row in self.rows if row is not None],
            "back": self.back,
            "action_name": self.button.name,
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "submit_name": SUBMIT,
        }
        frame = self.admin.admin_site.each_context(self.request)
        return TemplateResponse(self.request, "admin/reasoned_action.html", {**frame, **page})


def _list_of(admin: Admin) -> str:
    return reverse(_route(admin, "changelist"))


def _route(admin: Admin, page: str) -> str:
    return f"admin:{admin.opts.app_label}_{admin.opts.model_name}_{page}"
