from .alert import Alert
from .alert_channel import AlertChannel, AlertNotice, AlertSilence
from .certificate import InstalledRoot, StationCertificate
from .charging_profile import InstalledProfile
from .command import Command
from .composite_schedule import CompositeSchedule
from .configuration import ConfigurationReport, ConfigurationWish
from .firmware import (
    FirmwareCampaign,
    FirmwareImage,
    FirmwareReport,
    FirmwareUpdate,
    UpdateStatus,
)
from .frame import Frame
from .ignored import IgnoredFrames
from .measured import MeasuredProcess
from .meter_profile import MeterProfile
from .pending_key import PendingKey
from .security_event import SecurityEvent
from .station import Connector, ConnectorStatus, GatewayProcess, Site, Station
from .stop_habit import StopHabit
from .takeover import Takeovers
from .tariff import TariffAssignment
from .upload import LogRequest, ReceivedFile
from .uptime import StationChange, UptimeExclusion, UptimeMonth

__all__ = [
    "Alert",
    "AlertChannel",
    "AlertNotice",
    "AlertSilence",
    "Command",
    "CompositeSchedule",
    "ConfigurationReport",
    "ConfigurationWish",
    "Connector",
    "ConnectorStatus",
    "FirmwareCampaign",
    "FirmwareImage",
    "FirmwareReport",
    "FirmwareUpdate",
    "Frame",
    "GatewayProcess",
    "IgnoredFrames",
    "InstalledProfile",
    "InstalledRoot",
    "LogRequest",
    "MeasuredProcess",
    "MeterProfile",
    "PendingKey",
    "ReceivedFile",
    "SecurityEvent",
    "Site",
    "Station",
    "StationCertificate",
    "StationChange",
    "StopHabit",
    "Takeovers",
    "TariffAssignment",
    "UpdateStatus",
    "UptimeExclusion",
    "UptimeMonth",
]
