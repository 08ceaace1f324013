"""Calls the API as a user would: with a token."""

from knox.models import AuthToken
from rest_framework.test import APIClient


def signed_in(user) -> APIClient:
    _, token = AuthToken.objects.create(user)
    return APIClient(headers={"Authorization": f"Bearer {token}"})
