"""Make the operator's own accounts, one of each kind."""

from django.conf import settings
from django.db import migrations

HOUSE_KINDS = ["funding", "sales", "tax", "loss", "adjustment"]


def make_accounts(apps, schema_editor):
    Account = apps.get_model("billing", "Account")
    for kind in HOUSE_KINDS:
        Account.objects.get_or_create(kind=kind, defaults={"currency": settings.CSMS_CURRENCY})


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [migrations.RunPython(make_accounts, migrations.RunPython.noop)]
