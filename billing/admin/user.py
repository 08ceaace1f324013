"""People: who they are, what they have, what they may do."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Permission
from django.db.models import ManyToManyField, Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from ..adjust import adjust_balance
from ..blocking import block, unblock
from ..models import Account, Payment, Transfer, User
from ..money import to_minor
from ..payments.returns import pay_out
from ..payments.topups import request_top_up
from .base import KubatAdmin
from .display import EMPTY, list_link, money
from .filters import MomentFilter
from .notice import NoticeInline
from .reasoned import Act, Done, ReasonForm, actor_of, reasoned
from .user_forms import NewUserForm, PasswordForm, UserForm

NAMES = ("username", "email", "phone", "name")
RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


class TopUpForm(ReasonForm):
    amount = forms.DecimalField(
        label=_("Amount received"),
        min_value=Decimal("0.01"),
        max_digits=14,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget,
    )


class PayOutForm(ReasonForm):
    amount = forms.DecimalField(
        label=_("Amount paid out"),
        min_value=Decimal("0.01"),
        max_digits=14,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget,
    )


class AdjustForm(ReasonForm):
    amount = forms.DecimalField(
        label=_("Amount"),
        help_text=_("Positive gives, negative takes."),
        max_digits=14,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget,
    )


@admin.register(User)
class UserAdmin(KubatAdmin, DjangoUserAdmin):  # type: ignore[type-arg]  # not generic when it runs
    form = UserForm
    add_form = NewUserForm
    change_password_form = PasswordForm
    change_user_password_template = "admin/change_password.html"  # noqa: S105
    list_display = (
        "username",
        "name",
        "email",
        "phone",
        "balance",
        "held",
        "available",
        "is_active",
        "is_staff",
    )
    list_filter = (
        "is_active",
        "is_staff",
        "is_superuser",
        "groups",
        ("date_joined", MomentFilter),
    )
    list_select_related = ("account",)
    search_fields = ("username", "email", "phone", "name")
    ordering = ("-date_joined",)
    filter_horizontal = ("user_permissions",)
    autocomplete_fields = ("groups",)
    readonly_fields = (
        "balance",
        "held",
        "available",
        "money_pages",
        "is_active",
        "last_login",
        "date_joined",
    )
    fieldsets = (
        (None, {"fields": (*NAMES, "language", "password", "is_active")}),
        (_("Money"), {"fields": ("balance", "held", "available", "rfid_cap", "money_pages")}),
        (_("Rights"), {"fields": RIGHTS}),
        (_("Dates"), {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = (
        (
            None,
            {"fields": (*NAMES, "password1", "password2")},
        ),
    )
    actions = ("block", "unblock")
    actions_detail = ("top_up", "pay_out", "adjust", "block", "unblock")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people: QuerySet[User] = super().get_queryset(request)
        return people.select_related("account")

    def get_inlines(self, request: HttpRequest, obj: Model | None) -> list[Any]:
        """Who is about to be added was told nothing."""
        return [NoticeInline] if obj else []

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """Only a superuser gives rights: whoever may give them may take all of them."""
        fields = [*super().get_readonly_fields(request, obj)]
        return fields if actor_of(request).is_superuser else [*fields, *RIGHTS]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Only a superuser changes staff: a new password would be the way to their rights."""
        is_staff = isinstance(obj, User) and obj.is_staff
        if is_staff and not actor_of(request).is_superuser:
            return False
        return bool(super().has_change_permission(request, obj))

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> "forms.ModelMultipleChoiceField[Any] | None":
        if db_field.name == "user_permissions":  # a permission's name asks for its content type
            kwargs["queryset"] = Permission.objects.select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    @admin.display(description=_("balance"), ordering="account__balance_minor")
    def balance(self, user: User) -> str:
        return money(account.balance_minor) if (account := _account(user)) else EMPTY

    @admin.display(description=_("held"), ordering="account__held_minor")
    def held(self, user: User) -> str:
        return money(account.held_minor) if (account := _account(user)) else EMPTY

    @admin.display(description=_("available"))
    def available(self, user: User) -> str:
        return money(account.available_minor) if (account := _account(user)) else EMPTY

    @admin.display(description=_("movements"))
    def money_pages(self, user: User) -> SafeString | str:
        account = _account(user)
        if account is None:
            return EMPTY
        transfers = list_link(Transfer, f"account={account.pk}", _("Transfers"))
        top_ups = list_link(Payment, f"user__id__exact={user.pk}", _("Top-ups"))
        return format_html("{} · {}", transfers, top_ups)

    @reasoned(label=_("Top up"), permission="billing.add_payment", form=TopUpForm, icon="add_card")
    def top_up(self, act: Act[User]) -> Done:
        payment = request_top_up(
            user=act.row,
            amount=to_minor(act.values["amount"]),
            provider="manual",
            made_by=act.actor,
            reason=act.reason,
        )
        return Done(_("%(amount)s paid in.") % {"amount": money(payment.amount_minor)})

    @reasoned(
        label=_("Pay out"),
        permission="billing.add_transfer",
        form=PayOutForm,
        icon="payments",
    )
    def pay_out(self, act: Act[User]) -> Done:
        amount = to_minor(act.values["amount"])
        pay_out(user=act.row, amount=amount, reason=act.reason, made_by=act.actor)
        return Done(_("%(amount)s paid out.") % {"amount": money(amount)})

    @reasoned(
        label=_("Adjust balance"),
        permission="billing.add_transfer",
        form=AdjustForm,
        icon="balance",
    )
    def adjust(self, act: Act[User]) -> Done:
        amount = to_minor(act.values["amount"])
        adjust_balance(user=act.row, amount=amount, reason=act.reason, made_by=act.actor)
        return Done(_("The balance is adjusted by %(amount)s.") % {"amount": money(amount)})

    @reasoned(
        label=_("Block"),
        permission="billing.change_user",
        is_offered=lambda user: user.is_active,
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def block(self, act: Act[User]) -> Done:
        block(user=act.row, by=act.actor)
        return Done(_("%(user)s is blocked.") % {"user": act.row})

    @reasoned(
        label=_("Unblock"),
        permission="billing.change_user",
        is_offered=lambda user: not user.is_active,
        icon="lock_open",
    )
    def unblock(self, act: Act[User]) -> Done:
        unblock(user=act.row, by=act.actor)
        return Done(_("%(user)s may log in again.") % {"user": act.row})


def _account(user: User) -> Account | None:
    """A person who never had money has no account yet."""
    return getattr(user, "account", None)
