"""Empty the tables after a test whose rows were committed, and only those that have any.

Django's own flush truncates every table and makes all permissions anew, for each such test.
"""

import functools

from django.db import connections, transaction
from django.test import TransactionTestCase

KEPT = {"django_content_type", "auth_permission", "django_migrations"}
"""What migrations made of the code: no test changes it."""


def install() -> None:
    TransactionTestCase._fixture_teardown = _empty_all  # type: ignore[method-assign]


def _empty_all(case: TransactionTestCase) -> None:
    for alias in case._databases_names(include_mirrors=False):
        empty(alias)


def empty(alias: str) -> None:
    """Delete all rows. Foreign keys are judged at the commit, when both sides are gone."""
    connection = connections[alias]
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        cursor.execute(_which_have_rows(alias))
        for (table,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")


@functools.cache
def _which_have_rows(alias: str) -> str:
    connection = connections[alias]
    tables = set(connection.introspection.django_table_names(only_existing=True)) - KEPT
    return " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})"
        for table in sorted(tables)
    )
