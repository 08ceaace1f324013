from .alert import Alert
from .charging_profile import InstalledProfile
from .command import Command
from .frame import Frame
from .station import Connector, ConnectorStatus, GatewayProcess, Site, Station
from .tariff import TariffAssignment

__all__ = [
    "Alert",
    "Command",
    "Connector",
    "ConnectorStatus",
    "Frame",
    "GatewayProcess",
    "InstalledProfile",
    "Site",
    "Station",
    "TariffAssignment",
]
