"""Id tags over HTTP: for staff."""

from typing import cast

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.idempotency import IdempotentPost
from billing.api.permissions import IsStaff
from billing.api.scope import caller
from stations.api.fields import REASON, parse, reason_in_query

from .. import tags
from ..models import IdTag
from ..tags import TagValues
from .filters import IdTagFilter
from .serializers import IdTagRequest, IdTagSerializer

ID_TAG = OpenApiParameter("id_tag", str, OpenApiParameter.PATH, description="In any letter case.")


UNSAID = TagValues(user=None, status=IdTag.Status.ACCEPTED, parent_id_tag="", expires_at=None)
"""What a PUT clears when it does not say it."""


@extend_schema_view(get=extend_schema(operation_id="list_id_tags"))
class IdTagList(IdempotentPost, ListAPIView[IdTag]):
    """The tags that may start a charge at a station."""

    permission_classes = [IsStaff]
    queryset = IdTag.objects.all()
    serializer_class = IdTagSerializer
    filterset_class = IdTagFilter

    @extend_schema(
        operation_id="add_id_tag", request=IdTagRequest, responses={201: IdTagSerializer}
    )
    def post(self, request: Request) -> Response:
        values, reason = _read(request)
        tag = tags.add_tag(values, actor=caller(request), reason=reason)
        return Response(IdTagSerializer(tag).data, status=201)


@extend_schema(parameters=[ID_TAG])
class IdTagDetail(APIView):
    """One tag; a tag that has begun sessions may go, they keep its text."""

    permission_classes = [IsStaff]

    @extend_schema(operation_id="get_id_tag", responses=IdTagSerializer)
    def get(self, request: Request, id_tag: str) -> Response:
        return Response(IdTagSerializer(tags.find_tag(id_tag)).data)

    @extend_schema(operation_id="replace_id_tag", request=IdTagRequest, responses=IdTagSerializer)
    def put(self, request: Request, id_tag: str) -> Response:
        """Replace what is said of a tag; what is not named is cleared."""
        values, reason = _read(request)
        return self._change(id_tag, UNSAID | values, reason)

    @extend_schema(operation_id="change_id_tag", request=IdTagRequest, responses=IdTagSerializer)
    def patch(self, request: Request, id_tag: str) -> Response:
        """Change only what is named; null clears."""
        values, reason = _read(request, partial=True)
        return self._change(id_tag, values, reason)

    @extend_schema(operation_id="remove_id_tag", parameters=[REASON], responses={204: None})
    def delete(self, request: Request, id_tag: str) -> Response:
        tags.remove_tag(id_tag, actor=caller(request), reason=reason_in_query(request))
        return Response(status=204)

    def _change(self, id_tag: str, values: TagValues, reason: str) -> Response:
        tag = tags.change_tag(id_tag, values, actor=caller(self.request), reason=reason)
        return Response(IdTagSerializer(tag).data)


def _read(request: Request, *, partial: bool = False) -> tuple[TagValues, str]:
    """What the body says of the tag, and why."""
    said = parse(IdTagRequest, request, partial=partial)
    reason = said.pop("reason", "")
    return cast(TagValues, said), reason
