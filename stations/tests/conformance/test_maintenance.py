"""Firmware, diagnostics and logs: what a station says while it works on them."""

import pytest

from .kit import booted

UPDATE = {"location": "https://example.org/firmware.bin", "retrieveDate": "2026-01-01T00:00:00Z"}
WAYS = {
    "044_1 installed": ["Downloading", "Downloaded", "Installing", "Installed"],
    "044_2 download failed": ["Downloading", "DownloadFailed"],
    "044_3 installation failed": ["Downloading", "Downloaded", "Installing", "InstallationFailed"],
}
SIGNED_WAYS = {
    "080 installed": [
        "Downloading",
        "Downloaded",
        "SignatureVerified",
        "Installing",
        "InstallRebooting",
        "Installed",
    ],
    "081 invalid signature": ["Downloading", "Downloaded", "InvalidSignature"],
    "080 later": ["DownloadScheduled", "Downloading", "DownloadPaused", "DownloadFailed"],
    "080 no room": ["InstallScheduled", "InstallVerificationFailed", "InstallationFailed"],
}
SIGNED_UPDATE = {
    "requestId": 5,
    "firmware": {
        "location": "https://example.org/firmware.bin",
        "retrieveDateTime": "2026-01-01T00:00:00Z",
        "signingCertificate": "-----BEGIN CERTIFICATE-----",
        "signature": "c2lnbmF0dXJl",
    },
}


@pytest.mark.parametrize("statuses", WAYS.values(), ids=WAYS)
async def test_firmware(central, point, station_id, statuses):
    point.answers["UpdateFirmware"] = {}
    await booted(point)
    assert (await central.carry_out(station_id, "UpdateFirmware", UPDATE))["response"] == {}
    for name in statuses:
        assert await point.call("FirmwareStatusNotification", {"status": name}) == {}


async def test_firmware_is_told_at_boot(central, point, station_id):
    await booted(point)
    await point.call("FirmwareStatusNotification", {"status": "Installed"})
    answer = await point.boot(firmwareVersion="2.0.0")
    assert answer["status"] == "Accepted"


@pytest.mark.parametrize("statuses", SIGNED_WAYS.values(), ids=SIGNED_WAYS)
async def test_signed_firmware(central, point, station_id, statuses):
    point.answers["SignedUpdateFirmware"] = {"status": "Accepted"}
    await booted(point)
    row = await central.carry_out(station_id, "SignedUpdateFirmware", SIGNED_UPDATE)
    assert row["response"] == {"status": "Accepted"}
    for name in statuses:
        told = {"status": name, "requestId": 5}
        assert await point.call("SignedFirmwareStatusNotification", told) == {}


@pytest.mark.parametrize("last", ["Uploaded", "UploadFailed"])
async def test_tc_045_diagnostics(central, point, station_id, last):
    point.answers["GetDiagnostics"] = {"fileName": "diagnostics.log"}
    await booted(point)
    wanted = {"location": "ftp://example.org/up"}
    row = await central.carry_out(station_id, "GetDiagnostics", wanted)
    assert row["response"] == {"fileName": "diagnostics.log"}
    for name in ("Uploading", last):
        assert await point.call("DiagnosticsStatusNotification", {"status": name}) == {}


@pytest.mark.parametrize(
    "last", ["Uploaded", "UploadFailure", "BadMessage", "PermissionDenied", "NotSupportedOperation"]
)
async def test_tc_079_log(central, point, station_id, last):
    point.answers["GetLog"] = {"status": "Accepted", "filename": "security.log"}
    await booted(point)
    log = {"remoteLocation": "https://example.org/logs"}
    wanted = {"logType": "SecurityLog", "requestId": 9, "log": log}
    await central.carry_out(station_id, "GetLog", wanted)
    for name in ("Uploading", last):
        assert await point.call("LogStatusNotification", {"status": name, "requestId": 9}) == {}


UNASKED = [
    ("FirmwareStatusNotification", {"status": "Idle"}),
    ("FirmwareStatusNotification", {"status": "Installed"}),
    ("DiagnosticsStatusNotification", {"status": "Idle"}),
    ("DiagnosticsStatusNotification", {"status": "Uploaded"}),
    ("LogStatusNotification", {"status": "Idle"}),
    ("LogStatusNotification", {"status": "Uploaded", "requestId": 404}),
    ("SignedFirmwareStatusNotification", {"status": "Idle"}),
    ("SignedFirmwareStatusNotification", {"status": "Installed", "requestId": 404}),
]


@pytest.mark.parametrize(("action", "payload"), UNASKED)
async def test_a_status_that_nobody_asked_for_is_confirmed(point, action, payload):
    for _ in range(2):
        assert await point.call(action, payload) == {}
