"""What can go wrong for a simulated station.

SimulatorError
├── HandshakeRefused   the server answered the handshake with an HTTP status
├── Unreachable        nobody answers at the address, or it is no OCPP 1.6 server
├── Disconnected       the socket is gone
├── NoAnswer           a call was not answered in time
├── CallRefused        a call was answered with a CALLERROR
└── ScenarioFailed     what the scenario is for did not happen
"""

_REASONS = {
    400: "it does not speak ocpp1.6",
    401: "the key is wrong or missing",
    403: "the station is not allowed in",
    404: "the station is not registered",
}


class SimulatorError(Exception):
    """Its text is one line for the person who runs the simulator."""


class HandshakeRefused(SimulatorError):
    def __init__(self, status: int) -> None:
        self.status = status
        reason = f": {_REASONS[status]}" if status in _REASONS else ""
        super().__init__(f"the server refused the handshake with {status}{reason}")

    @property
    def is_final(self) -> bool:
        """Whether asking again is of no use; a 5xx is a server that is not ready."""
        return self.status < 500


class Unreachable(SimulatorError):
    pass


class Disconnected(SimulatorError):
    pass


class NoAnswer(SimulatorError):
    pass


class CallRefused(SimulatorError):
    def __init__(self, code: str, description: str) -> None:
        self.code = code
        super().__init__(f"{code}: {description}" if description else code)


class ScenarioFailed(SimulatorError):
    pass
