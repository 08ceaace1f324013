"""Who acts on the end of a command, in the transaction that ends it.

A hearer gets every command of its action, also those that staff sent by hand: what it did not ask
for itself (`reference` says so) is only something that a station told. Sessions hear of their own
commands in `calls`, which locks them first.
"""

from collections.abc import Callable

from stations import charging_profiles, composite_schedules, configuration, uploads
from stations.certificates import issue, roots
from stations.firmware import progress
from stations.models import Command, Station

from . import local_list, reserve, steering

HEARERS: dict[str, Callable[[Command], None]] = {
    "CancelReservation": reserve.hear,
    "CertificateSigned": issue.hear,
    "ChangeConfiguration": configuration.absorb,
    "ClearChargingProfile": charging_profiles.absorb_clearing,
    "DeleteCertificate": roots.hear,
    "GetCompositeSchedule": composite_schedules.absorb,
    "GetConfiguration": configuration.absorb,
    "GetDiagnostics": uploads.hear,
    "GetInstalledCertificateIds": roots.hear,
    "GetLocalListVersion": local_list.hear,
    "GetLog": uploads.hear,
    "InstallCertificate": roots.hear,
    "ReserveNow": reserve.hear,
    "SendLocalList": local_list.hear,
    "SetChargingProfile": charging_profiles.absorb_installing,
    "SignedUpdateFirmware": progress.hear,
    "TriggerMessage": steering.hear,
    "UpdateFirmware": progress.hear,
}


def hear(command: Command) -> None:
    """Let the hearer of its action act on a command that has just ended, if there is one."""
    hearer = HEARERS.get(command.action)
    if hearer is not None:
        hearer(command)


def lock_first(command: Command) -> None:
    """Lock the station before its command where a hearer will act: use cases do so, too."""
    if command.action in HEARERS:
        Station.objects.select_for_update(no_key=True).get(pk=command.station_id)
