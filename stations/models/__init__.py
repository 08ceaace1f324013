from .alert import Alert
from .command import Command
from .frame import Frame
from .meter_profile import MeterProfile
from .station import Connector, ConnectorStatus, GatewayProcess, Site, Station
from .tariff import TariffAssignment

__all__ = [
    "Alert",
    "Command",
    "Connector",
    "ConnectorStatus",
    "Frame",
    "GatewayProcess",
    "MeterProfile",
    "Site",
    "Station",
    "TariffAssignment",
]
