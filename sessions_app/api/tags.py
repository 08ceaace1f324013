"""Id tags over HTTP: for staff."""

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.idempotency import IdempotentPost
from billing.api.permissions import IsStaff
from billing.api.scope import caller

from .. import tags
from ..models import IdTag
from .filters import IdTagFilter
from .serializers import IdTagRequest, IdTagSerializer

ID_TAG = OpenApiParameter("id_tag", str, OpenApiParameter.PATH, description="In any letter case.")


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
        body = IdTagRequest(data=request.data)
        body.is_valid(raise_exception=True)
        tag = tags.add_tag(body.validated_data, actor=caller(request))
        return Response(IdTagSerializer(tag).data, status=201)


@extend_schema(parameters=[ID_TAG])
class IdTagDetail(APIView):
    """One tag; a tag that has begun sessions may go, they keep its text."""

    permission_classes = [IsStaff]

    @extend_schema(operation_id="get_id_tag", responses=IdTagSerializer)
    def get(self, request: Request, id_tag: str) -> Response:
        return Response(IdTagSerializer(tags.find_tag(id_tag)).data)

    @extend_schema(operation_id="change_id_tag", request=IdTagRequest, responses=IdTagSerializer)
    def patch(self, request: Request, id_tag: str) -> Response:
        """Change only what is named; null clears."""
        body = IdTagRequest(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        tag = tags.change_tag(id_tag, body.validated_data, actor=caller(request))
        return Response(IdTagSerializer(tag).data)

    @extend_schema(operation_id="remove_id_tag", request=None, responses={204: None})
    def delete(self, request: Request, id_tag: str) -> Response:
        tags.remove_tag(id_tag, actor=caller(request))
        return Response(status=204)
