"""Calls the API as a user would: with a token."""

from knox.models import get_token_model
from rest_framework.test import APIClient


def signed_in(user) -> APIClient:
    _, token = get_token_model().objects.create(user=user)
    return APIClient(headers={"Authorization": f"Bearer {token}"})
