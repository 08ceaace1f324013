"""Where stations fetch firmware: an address for one station and one update, for a time."""

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views import View

from .. import addresses
from ..models import FirmwareUpdate
from .files import serve_file


class FirmwareView(View):
    """The name at the end is for the station's sake; the token says which file it is."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, token: str, name: str = "") -> HttpResponseBase:
        update_id = addresses.row_of(addresses.FIRMWARE, token)
        fetchable = FirmwareUpdate.objects.filter(pk=update_id, expires_at__gt=timezone.now())
        update = fetchable.select_related("campaign__image").first()
        if update is None or not update.campaign.image.path:
            raise Http404
        image = update.campaign.image
        return serve_file(request, path=image.path, name=image.file_name, sha256=image.sha256)
