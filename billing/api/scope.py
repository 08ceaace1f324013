"""Whom a request is about: a driver only themselves, staff anyone (P10)."""

import uuid

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from ..errors import Forbidden, Invalid, NotFound
from ..models import User

USER_ID = OpenApiParameter(
    "user_id", OpenApiTypes.UUID, description="Whom it is about: yourself, or for staff anyone."
)


def caller(request: Request) -> User:
    """The person behind a request that the permissions let through."""
    assert isinstance(request.user, User)  # the views that ask need a log-in
    return request.user


def user_named(request: Request, user_id: uuid.UUID | None) -> User:
    """Return the user that a body names, by default the caller.

    Raises Forbidden for another's id without staff, NotFound for staff when there is none.
    """
    asking = caller(request)
    if user_id is None or user_id == asking.pk:
        return asking
    if not asking.is_staff:
        raise Forbidden("This is another's.")
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such user.")
    return user


def user_in_query(request: Request) -> User:
    """Return the user that `?user_id=` names, by default the caller. Raises as `user_named`.

    Raises Invalid when it is no UUID.
    """
    text = request.query_params.get("user_id")
    if text is None:
        return caller(request)
    try:
        user_id = uuid.UUID(text)
    except ValueError:
        raise Invalid(fields={"user_id": ["This is no valid UUID."]}) from None
    return user_named(request, user_id)
