from .alert import Alert
from .command import Command
from .configuration import ConfigurationReport, ConfigurationWish
from .frame import Frame
from .pending_key import PendingKey
from .station import Connector, ConnectorStatus, GatewayProcess, Site, Station
from .tariff import TariffAssignment

__all__ = [
    "Alert",
    "Command",
    "ConfigurationReport",
    "ConfigurationWish",
    "Connector",
    "ConnectorStatus",
    "Frame",
    "GatewayProcess",
    "PendingKey",
    "Site",
    "Station",
    "TariffAssignment",
]
