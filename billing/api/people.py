"""Sign up, log in, log out, who am I."""

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from drf_spectacular.utils import OpenApiResponse, extend_schema
from knox.models import AuthToken
from rest_framework import serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..auth import log_in_wait_s
from ..client import address_of
from ..errors import TooManyAttempts, WrongCredentials
from ..limits import Limit
from ..models import User
from ..people import register
from ..phone import to_e164
from .documents import language_asked_for
from .scope import caller

REGISTRATIONS = Limit("registration", times=60, period_s=60)
MAX_PASSWORD_LENGTH = 256


class PhoneField(serializers.CharField):
    """E.164 inside, any usual spelling outside."""

    default_error_messages = {"invalid": "Enter a valid phone number."}

    def to_internal_value(self, data: Any) -> str:
        try:
            return to_e164(super().to_internal_value(data))
        except ValueError:
            self.fail("invalid")


class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "username", "email", "phone", "name", "is_staff"]
        read_only_fields = fields


class RegistrationSerializer(serializers.Serializer[User]):
    """An e-mail or a phone, or both; then the e-mail is the username."""

    email = serializers.EmailField(required=False, allow_null=True, max_length=150)
    phone = PhoneField(required=False, allow_null=True, max_length=32)
    password = serializers.CharField(
        max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False, write_only=True
    )
    name = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=150)


class LogInSerializer(serializers.Serializer[User]):
    username = serializers.CharField(help_text="The username, e-mail or phone.", max_length=254)
    password = serializers.CharField(
        max_length=MAX_PASSWORD_LENGTH, trim_whitespace=False, write_only=True
    )


class TokenSerializer(serializers.Serializer[AuthToken]):
    token = serializers.CharField()
    expiry = serializers.DateTimeField(help_text="Using the token moves this on.")
    user = UserSerializer()


class RegisterView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="register", request=RegistrationSerializer, responses={201: UserSerializer}
    )
    def post(self, request: Request) -> Response:
        """Sign up as a driver, who can log in at once."""
        address = address_of(request)
        if wait_s := REGISTRATIONS.wait_s(address):
            raise TooManyAttempts(retry_after_s=wait_s)
        REGISTRATIONS.count(address)
        form = RegistrationSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        user = register(
            email=given.get("email"),
            phone=given.get("phone"),
            password=given["password"],
            name=given.get("name") or "",
            language=language_asked_for(request),
        )
        return Response(UserSerializer(user).data, status=status.HTTP_201_CREATED)


class LogInView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(operation_id="log_in", request=LogInSerializer, responses={200: TokenSerializer})
    def post(self, request: Request) -> Response:
        """Exchange a username, e-mail or phone and the password for a Bearer token."""
        form = LogInSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        if wait_s := log_in_wait_s(request, form.validated_data["username"]):
            raise TooManyAttempts(retry_after_s=wait_s)
        user = authenticate(request, **form.validated_data)
        if not isinstance(user, User):
            raise WrongCredentials
        row, token = AuthToken.objects.create(user)
        user_logged_in.send(sender=User, request=request, user=user)
        answer = {"token": token, "expiry": row.expiry, "user": user}
        return Response(TokenSerializer(answer).data)


class LogOutView(APIView):
    @extend_schema(
        operation_id="log_out",
        request=None,
        responses={204: OpenApiResponse(description="Logged out.")},
    )
    def post(self, request: Request) -> Response:
        """Make this token invalid; other log-ins stay."""
        request.auth.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(APIView):
    @extend_schema(operation_id="get_me", responses={200: UserSerializer})
    def get(self, request: Request) -> Response:
        """Say who is logged in."""
        return Response(UserSerializer(caller(request)).data)
