from .alert import Alert
from .command import Command
from .firmware import (
    FirmwareCampaign,
    FirmwareImage,
    FirmwareReport,
    FirmwareUpdate,
    UpdateStatus,
)
from .frame import Frame
from .station import Connector, ConnectorStatus, GatewayProcess, Site, Station
from .tariff import TariffAssignment
from .upload import LogRequest, ReceivedFile

__all__ = [
    "Alert",
    "Command",
    "Connector",
    "ConnectorStatus",
    "FirmwareCampaign",
    "FirmwareImage",
    "FirmwareReport",
    "FirmwareUpdate",
    "Frame",
    "GatewayProcess",
    "LogRequest",
    "ReceivedFile",
    "Site",
    "Station",
    "TariffAssignment",
    "UpdateStatus",
]
