"""Routes of this app's API."""

from django.urls import URLPattern

from . import books, notices, people, receipts, statements, topups
from .routing import api_path

urlpatterns: list[URLPattern] = [
    *api_path("auth/register", people.RegisterView.as_view(), "register"),
    *api_path("auth/login", people.LogInView.as_view(), "login"),
    *api_path("auth/logout", people.LogOutView.as_view(), "logout"),
    *api_path("auth/me", people.MeView.as_view(), "me"),
    *api_path("auth/me/notices", notices.NoticesView.as_view(), "notices"),
    *api_path("auth/me/telegram", notices.TelegramView.as_view(), "telegram"),
    *api_path("billing/balance", books.BalanceView.as_view(), "balance"),
    *api_path("billing/transfers", books.TransfersView.as_view(), "transfers"),
    *api_path("billing/receipts", receipts.ReceiptsView.as_view(), "receipts"),
    *receipts.document_paths("billing/receipts/<uuid:session_id>", "receipt"),
    *receipts.document_paths(
        "billing/receipts/<uuid:session_id>/corrections/<int:number>", "correction"
    ),
    *api_path("billing/statement.pdf", statements.StatementPdf.as_view(), "statement_pdf"),
    *api_path("billing/statement.csv", statements.StatementCsv.as_view(), "statement_csv"),
    *api_path("billing/topups", topups.TopUpsView.as_view(), "topups"),
    *api_path("billing/topups/<uuid:payment_id>", topups.TopUpView.as_view(), "topup"),
]
