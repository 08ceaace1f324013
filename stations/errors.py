"""What can go wrong with stations and commands.

KubatError
├── StationNotFound       404
├── CommandNotFound       404
├── TariffNotFound        404
├── SiteNotFound          404
├── WishNotFound          404
├── CertificateNotFound   404
├── AlertEndsItself       409
├── AddressRefused        400
├── CertificateEnded      409
├── StationInUse          409
├── SiteInUse             409
├── StationDisabled       409
├── StationOffline        409
├── ConnectorBusy         409
├── ConnectorReserved     409
├── KeyNotUsed            409
├── NothingToUndo         409
├── ChargeRunning         409
├── NoTariff              409
├── NoPublicAddress       409
├── CampaignEnded         409
├── ImageInUse            409
├── TooManyFiles          409
├── UploadNotFound        404
├── FileTooLarge          413
├── StorageFailed         507
└── PayloadInvalid        400
"""

from billing.errors import Conflict, Invalid, KubatError, NotFound


class StationNotFound(NotFound):
    code = "station_not_found"
    detail_default = "There is no such station."


class CommandNotFound(NotFound):
    code = "command_not_found"
    detail_default = "There is no such command."


class TariffNotFound(NotFound):
    code = "tariff_not_found"
    detail_default = "There is no such tariff."


class SiteNotFound(NotFound):
    code = "site_not_found"
    detail_default = "There is no such site."


class WishNotFound(NotFound):
    code = "wish_not_found"
    detail_default = "There is no such configuration wish."


class CertificateNotFound(NotFound):
    code = "certificate_not_found"
    detail_default = "There is no such certificate."


class CertificateEnded(Conflict):
    code = "certificate_ended"
    detail_default = "This certificate proves nothing any more."


class AlertEndsItself(Conflict):
    code = "alert_ends_itself"
    detail_default = (
        "A rule watches the cause and resolves this when it is gone: silence it instead."
    )


class AddressRefused(Invalid):
    code = "address_refused"
    detail_default = "This is no address that a channel can have."


class StationInUse(Conflict):
    code = "station_in_use"
    detail_default = "Sessions were charged here: take it out of sale by `enabled: false` instead."


class SiteInUse(Conflict):
    code = "site_in_use"
    detail_default = "There are stations at this site."


class StationDisabled(Conflict):
    code = "station_disabled"
    detail_default = "This station is out of sale."


class StationOffline(Conflict):
    code = "station_offline"
    detail_default = "This station is not connected."


class ConnectorBusy(Conflict):
    code = "connector_busy"
    detail_default = "No connector is free for this charge."


class ConnectorReserved(Conflict):
    code = "connector_reserved"
    detail_default = "This connector is reserved."


class KeyNotUsed(Conflict):
    code = "key_not_used"
    detail_default = "A station of this security profile has no key."


class NothingToUndo(Conflict):
    code = "nothing_to_undo"
    detail_default = "No value from before is known of this key."


class ChargeRunning(Conflict):
    code = "charge_running"
    detail_default = "A charge is running here: say that it may be interrupted."


class NoTariff(Conflict):
    code = "no_tariff"
    detail_default = "No tariff applies at this connector."


class PayloadInvalid(Invalid):
    code = "payload_invalid"
    detail_default = "The payload breaks the schema of this action."


class NoPublicAddress(Conflict):
    code = "no_public_address"
    detail_default = "CSMS_PUBLIC_URL is not set, so there is no address to give to a station."


class CampaignEnded(Conflict):
    code = "campaign_ended"
    detail_default = "This campaign cannot do that any more."


class ImageInUse(Conflict):
    code = "image_in_use"
    detail_default = "A campaign used this image: it stays with it."


class TooManyFiles(Conflict):
    code = "too_many_files"
    detail_default = "No more files are taken at this address."


class UploadNotFound(NotFound):
    code = "upload_not_found"
    detail_default = "There is no such address, or its time is over."


class FileTooLarge(KubatError):
    code = "file_too_large"
    detail_default = "The file is larger than is allowed."
    status = 413


class StorageFailed(KubatError):
    code = "storage_failed"
    detail_default = "The file could not be kept; the server's disk may be full."
    status = 507
