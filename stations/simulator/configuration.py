"""The configuration keys of a simulated station (OCPP 1.6 §9)."""

from decimal import Decimal

from .wire import Payload

_READ_ONLY = {
    "GetConfigurationMaxKeys": "100",
    "SupportedFeatureProfiles": (
        "Core,FirmwareManagement,LocalAuthListManagement,RemoteTrigger,Reservation,SmartCharging"
    ),
    "CertificateStoreMaxLength": "10",
    "ChargeProfileMaxStackLevel": "9",
    "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
    "ChargingScheduleMaxPeriods": "24",
    "LocalAuthListMaxLength": "200",
    "MaxChargingProfilesInstalled": "10",
    "SendLocalListMaxLength": "100",
    "SupportedFileTransferProtocols": "HTTP,HTTPS",
}
_NUMBERS = {
    "ClockAlignedDataInterval": "0",
    "ConnectionTimeOut": "60",
    "HeartbeatInterval": "60",
    "MeterValueSampleInterval": "10",
    "ResetRetries": "1",
    "TransactionMessageAttempts": "3",
    "TransactionMessageRetryInterval": "5",
}
_SWITCHES = {
    "AllowOfflineTxForUnknownId": "true",
    "AuthorizationCacheEnabled": "true",
    "AuthorizeRemoteTxRequests": "false",
    "LocalAuthListEnabled": "true",
    "LocalAuthorizeOffline": "true",
    "LocalPreAuthorize": "false",
    "StopTransactionOnEVSideDisconnect": "true",
    "StopTransactionOnInvalidId": "true",
    "UnlockConnectorOnEVSideDisconnect": "true",
}
_TEXTS = {
    "CpoName": "",
    "ConnectorPhaseRotation": "Unknown",
    "MeterValuesAlignedData": "",
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import,SoC",
    "StopTxnAlignedData": "",
    "StopTxnSampledData": "",
}


class Configuration:
    """Values as text, as they travel; the password is never read back."""

    PASSWORD = "AuthorizationKey"  # noqa: S105 - the name of the key

    def __init__(self, *, connectors: int, interval_s: Decimal, attempts: int) -> None:
        self._values = {
            **_READ_ONLY,
            "NumberOfConnectors": str(connectors),
            **_NUMBERS,
            **_SWITCHES,
            **_TEXTS,
            "MeterValueSampleInterval": str(interval_s),
            "TransactionMessageAttempts": str(attempts),
        }

    def read(self, keys: list[str]) -> Payload:
        """Answer GetConfiguration; no keys means all of them."""
        known = [key for key in keys or self._values if key in self._values]
        return {
            "configurationKey": [
                {"key": key, "readonly": self._is_fixed(key), "value": self._values[key]}
                for key in known
            ],
            "unknownKey": [key for key in keys if key not in self._values],
        }

    def change(self, key: str, value: str) -> str:
        """Answer ChangeConfiguration with its status."""
        if key not in self._values:
            return "NotSupported"
        is_wrong = (key in _NUMBERS and not value.isdigit()) or (
            key in _SWITCHES and value.lower() not in {"true", "false"}
        )
        if self._is_fixed(key) or is_wrong:
            return "Rejected"
        self._values[key] = value
        return "Accepted"

    def number(self, key: str) -> float:
        return float(self._values[key])

    def text(self, key: str) -> str:
        return self._values[key]

    def is_on(self, key: str) -> bool:
        return self._values[key].lower() == "true"

    def _is_fixed(self, key: str) -> bool:
        return key in _READ_ONLY or key == "NumberOfConnectors"
