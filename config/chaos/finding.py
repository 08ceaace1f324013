"""A promise that was not kept, and where to look for the reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`promise` is that of the design (P1–P10); `code` is stable.

    Where no session is known, `sought` is what the frames that it is about contain.
    """

    promise: str
    code: str
    text: str
    session_id: str = ""
    station_id: str = ""
    transaction_id: int | None = None
    sought: str = ""

    def __str__(self) -> str:
        places = (("session", self.session_id), ("station", self.station_id))
        where = "".join(f" {name} {value}" for name, value in places if value)
        return f"{self.promise} {self.code}{where}: {self.text}"
