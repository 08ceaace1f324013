"""A process of its own that sends one request to the view of `test_idempotency`."""

import sys

import django
from django.test.utils import override_settings

if __name__ == "__main__":
    django.setup()
    from rest_framework.test import APIClient

    token, then = sys.argv[1:]
    client = APIClient(
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "k", "Host": "localhost"}
    )
    with override_settings(ROOT_URLCONF="billing.tests.test_idempotency"):
        answer = client.post("/give", {"then": then}, format="json")
    sys.exit(f"It should have died, but answered {answer.status_code}: {answer.content!r}")
