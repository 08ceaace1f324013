"""Routes of this app's API."""

from django.urls import register_converter
from django.urls.converters import StringConverter

from billing.api.routing import api_path

from .guest import GuestChargeDetail, GuestCharges, StopGuestCharge
from .reservations import CancelReservation, ReservationDetail, ReservationList
from .tags import IdTagDetail, IdTagList
from .views import RaiseLimit, SessionDetail, SessionList, StartCharge, StopCharge


class TagConverter(StringConverter):
    """A tag as a part of an address: slashes may be inside, one at its end is the address's."""

    regex = ".*[^/]"


register_converter(TagConverter, "id_tag")

urlpatterns = [
    *api_path("ocpp/start_charge", StartCharge.as_view(), "start_charge"),
    *api_path("ocpp/stop_charge", StopCharge.as_view(), "stop_charge"),
    *api_path("ocpp/guest_charge", GuestCharges.as_view(), "guest_charges"),
    *api_path("ocpp/guest_charge/<str:token>", GuestChargeDetail.as_view(), "guest_charge"),
    *api_path("ocpp/guest_charge/<str:token>/stop", StopGuestCharge.as_view(), "stop_guest_charge"),
    *api_path("ocpp/sessions", SessionList.as_view(), "sessions"),
    *api_path("ocpp/sessions/<str:session_id>", SessionDetail.as_view(), "session"),
    *api_path("ocpp/sessions/<str:session_id>/limit", RaiseLimit.as_view(), "raise_limit"),
    *api_path("ocpp/id_tags", IdTagList.as_view(), "id_tags"),
    *api_path("ocpp/id_tags/<id_tag:id_tag>", IdTagDetail.as_view(), "id_tag"),
    *api_path("ocpp/reservations", ReservationList.as_view(), "reservations"),
    *api_path("ocpp/reservations/<int:reservation_id>", ReservationDetail.as_view(), "reservation"),
    *api_path(
        "ocpp/reservations/<int:reservation_id>/cancel",
        CancelReservation.as_view(),
        "cancel_reservation",
    ),
]
