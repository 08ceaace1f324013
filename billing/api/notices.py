"""What you are told, and how: your own choice, and nobody else's."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..models import NoticeChannel, NoticeKind, NoticePreference, User
from ..notices import telegram
from ..notices.choices import address_of, choose, chosen, enabled, preference_of
from ..notices.words import language_of
from .scope import caller


class ChoicesSerializer(serializers.Serializer[Any]):
    """For each kind of notice, the channels by which it comes; none: it does not."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            kind.value: serializers.ListField(
                child=serializers.ChoiceField(NoticeChannel.choices),
                required=False,
                max_length=len(NoticeChannel),
                help_text=str(kind.label),
            )
            for kind in NoticeKind
        }


class ChannelSerializer(serializers.Serializer[Any]):
    channel = serializers.ChoiceField(NoticeChannel.choices)
    has_address = serializers.BooleanField(help_text="Whether you can be reached by it now.")


class NoticesSerializer(serializers.Serializer[Any]):
    language = serializers.ChoiceField(settings.LANGUAGES)
    channels = ChannelSerializer(many=True, help_text="Those that this installation has.")
    notices = ChoicesSerializer()


class NoticesRequest(serializers.Serializer[Any]):
    """What is not named stays as it was."""

    language = serializers.ChoiceField(settings.LANGUAGES, required=False)
    notices = ChoicesSerializer(required=False)

    def to_internal_value(self, data: Any) -> Any:
        """Refuse kinds that there are not: a misspelt one would seem to be switched off."""
        values = super().to_internal_value(data)
        named = data.get("notices") or {}
        unknown = {kind: ["There is no such notice."] for kind in named if kind not in NoticeKind}
        if unknown:
            raise serializers.ValidationError({"notices": unknown})
        return values


class InvitationSerializer(serializers.Serializer[telegram.Invitation]):
    url = serializers.CharField(help_text="Opens the bot in Telegram; good once.")
    expires_at = serializers.DateTimeField()


class NoticesView(APIView):
    @extend_schema(operation_id="get_notices", responses={200: NoticesSerializer})
    def get(self, request: Request) -> Response:
        """Say what you are told by which channel, and in which language."""
        user = caller(request)
        return Response(_render(user, preference_of(user)))

    @extend_schema(
        operation_id="choose_notices", request=NoticesRequest, responses={200: NoticesSerializer}
    )
    def put(self, request: Request) -> Response:
        """Choose what you are told by which channel, and in which language."""
        form = NoticesRequest(data=request.data)
        form.is_valid(raise_exception=True)
        user = caller(request)
        preference = choose(
            user=user,
            language=form.validated_data.get("language"),
            choices=form.validated_data.get("notices", {}),
        )
        return Response(_render(user, preference))


class TelegramView(APIView):
    @extend_schema(
        operation_id="link_telegram", request=None, responses={201: InvitationSerializer}
    )
    def post(self, request: Request) -> Response:
        """Get the address that links your Telegram chat; opening it there links it."""
        invitation = telegram.invite(caller(request))
        return Response(InvitationSerializer(invitation).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="unlink_telegram",
        request=None,
        responses={204: OpenApiResponse(description="Unlinked.")},
    )
    def delete(self, request: Request) -> Response:
        """Be told nothing by Telegram any more."""
        telegram.unlink(caller(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _render(user: User, preference: NoticePreference) -> dict[str, Any]:
    channels = enabled()
    return {
        "language": language_of(user),
        "channels": [
            {"channel": one.value, "has_address": bool(address_of(preference, one))}
            for one in channels
        ],
        "notices": {kind.value: _shown(preference, kind, channels) for kind in NoticeKind},
    }


def _shown(
    preference: NoticePreference, kind: NoticeKind, channels: tuple[NoticeChannel, ...]
) -> list[str]:
    return [one.value for one in chosen(preference, kind) if one in channels]
