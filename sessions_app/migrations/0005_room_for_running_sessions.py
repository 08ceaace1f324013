"""Room in the pages of sessions, so that a running one is updated within its page (HOT)."""

from django.db import migrations

FILLED = "ALTER TABLE sessions_app_chargingsession SET (fillfactor = 70)"
FULL = "ALTER TABLE sessions_app_chargingsession RESET (fillfactor)"


def on_postgres(statement):
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(statement)

    return run


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0004_readings_by_month")]

    operations = [migrations.RunPython(on_postgres(FILLED), on_postgres(FULL))]
