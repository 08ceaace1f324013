"""The source of transaction ids: read-only."""

from django.contrib import admin

from billing.admin.base import DiaryAdmin

from ..models import TransactionNumber


@admin.register(TransactionNumber)
class TransactionNumberAdmin(DiaryAdmin):
    list_display = fields = readonly_fields = ("id",)
    search_fields = ("=id",)
    ordering = ("-id",)
