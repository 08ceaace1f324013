"""Who acts on the end of a command, in the transaction that ends it.

A hearer gets every command of its action, also those that staff sent by hand: what it did not ask
for itself (`reference` says so) is only something that a station told. Sessions hear of their own
commands in `calls`, which locks them first.
"""

from collections.abc import Callable

from stations import configuration, uploads
from stations.certificates import issue, roots
from stations.firmware import progress
from stations.models import Command

from . import local_list

HEARERS: dict[str, Callable[[Command], None]] = {
    "CertificateSigned": issue.hear,
    "DeleteCertificate": roots.hear,
    "GetInstalledCertificateIds": roots.hear,
    "InstallCertificate": roots.hear,
    "ChangeConfiguration": configuration.absorb,
    "GetConfiguration": configuration.absorb,
    "GetLocalListVersion": local_list.hear,
    "SendLocalList": local_list.hear,
    "GetDiagnostics": uploads.hear,
    "GetLog": uploads.hear,
    "SignedUpdateFirmware": progress.hear,
    "UpdateFirmware": progress.hear,
}


def hear(command: Command) -> None:
    """Let the hearer of its action act on a command that has just ended, if there is one."""
    hearer = HEARERS.get(command.action)
    if hearer is not None:
        hearer(command)
