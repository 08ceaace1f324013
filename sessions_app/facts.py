"""What a station says happened, in one vocabulary for every OCPP version. Pure: no database.

Times are aware and UTC. `at` is the station's clock as it was sent, `received_at` is ours.
"""

import datetime as dt
import uuid
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Sample:
    """The meter at one moment: register in Wh, power in W, state of charge in percent.

    `is_kwh` says that the register was labelled kWh; `export_wh` is the other register, where a
    station tells both.
    """

    at: dt.datetime
    register_wh: Decimal | None = None
    power_w: Decimal | None = None
    soc: Decimal | None = None
    context: str = ""
    flags: tuple[str, ...] = ()
    is_kwh: bool = False
    export_wh: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A transaction began (OCPP 1.6 §6.45 StartTransaction)."""

    connector_id: int
    id_tag: str
    meter_start_wh: Decimal
    at: dt.datetime
    received_at: dt.datetime
    reservation_id: int | None = None


@dataclass(frozen=True, slots=True)
class Metered:
    """Samples of one connector, of a transaction or not (OCPP 1.6 §6.31 MeterValues)."""

    connector_id: int
    transaction_id: int | None
    samples: tuple[Sample, ...]
    received_at: dt.datetime
    frame_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """A transaction ended (OCPP 1.6 §6.49 StopTransaction).

    What could not be read is None: a StopTransaction is never refused.
    """

    transaction_id: int | None
    meter_stop_wh: Decimal | None
    at: dt.datetime | None
    received_at: dt.datetime
    id_tag: str = ""
    reason: str = ""
    samples: tuple[Sample, ...] = field(default=())
