"""Routes of this app's API."""

from billing.api.routing import api_path

from .commands import CommandDetail, StationCommands
from .configuration import StationConfiguration
from .preview import TariffPreview
from .sites import SiteDetail, Sites
from .stations import StationDetail, Stations
from .tariffs import TariffDetail, Tariffs, TariffVersions
from .uptime import ExclusionDetail, Exclusions, UptimeCsv, UptimeReport

urlpatterns = [
    *api_path("ocpp/stations", Stations.as_view(), "stations"),
    *api_path("ocpp/stations/<str:station_id>", StationDetail.as_view(), "station"),
    *api_path(
        "ocpp/stations/<str:station_id>/commands", StationCommands.as_view(), "station-commands"
    ),
    *api_path(
        "ocpp/stations/<str:station_id>/configuration",
        StationConfiguration.as_view(),
        "station-configuration",
    ),
    *api_path("ocpp/commands/<uuid:command_id>", CommandDetail.as_view(), "command"),
    *api_path("ocpp/tariffs", Tariffs.as_view(), "tariffs"),
    *api_path("ocpp/tariffs/preview", TariffPreview.as_view(), "tariff-preview"),
    *api_path("ocpp/tariffs/<uuid:tariff_id>", TariffDetail.as_view(), "tariff"),
    *api_path("ocpp/tariffs/<uuid:tariff_id>/versions", TariffVersions.as_view(), "versions"),
    *api_path("ocpp/uptime", UptimeReport.as_view(), "uptime"),
    *api_path("ocpp/uptime.csv", UptimeCsv.as_view(), "uptime-csv"),
    *api_path("ocpp/uptime/exclusions", Exclusions.as_view(), "uptime-exclusions"),
    *api_path(
        "ocpp/uptime/exclusions/<int:exclusion_id>", ExclusionDetail.as_view(), "uptime-exclusion"
    ),
    *api_path("ocpp/sites", Sites.as_view(), "sites"),
    *api_path("ocpp/sites/<int:site_id>", SiteDetail.as_view(), "site"),
]
