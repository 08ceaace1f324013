"""Firmware, diagnostics and logs on the wire: what outside testers play, and what they do not."""

import pytest
from asgiref.sync import sync_to_async

from stations import registry, uploads
from stations.firmware import images
from stations.gateway.schemas import check_request
from stations.models import Command, FirmwareReport, FirmwareUpdate, LogRequest, Station
from stations.tests.maintenance import PUBLIC, add_image, beat, plan
from stations.tests.test_gateway_setup import until

WHEN = "2026-11-24T10:00:00Z"
PLAIN = {"location": "ftp://acme.example/fw.bin", "retrieveDate": WHEN, "retries": 1}
SIGNED = {
    "requestId": 7,
    "firmware": {
        "location": "https://acme.example/fw.bin",
        "retrieveDateTime": WHEN,
        "signingCertificate": "-----BEGIN CERTIFICATE-----",
        "signature": "c2ln",
    },
}
LOG = {
    "logType": "SecurityLog",
    "requestId": 8,
    "log": {"remoteLocation": "ftp://acme.example/logs"},
}
FIRMWARE = ("Downloaded", "DownloadFailed", "Downloading", "Idle", "InstallationFailed")
FIRMWARE = (*FIRMWARE, "Installing", "Installed")
SIGNED_ONLY = ("DownloadScheduled", "DownloadPaused", "InstallRebooting", "InstallScheduled")
SIGNED_ONLY = (*SIGNED_ONLY, "InstallVerificationFailed", "InvalidSignature", "SignatureVerified")
DIAGNOSTICS = ("Idle", "Uploaded", "UploadFailed", "Uploading")
LOGS = ("BadMessage", "Idle", "NotSupportedOperation", "PermissionDenied", "Uploaded")
LOGS = (*LOGS, "UploadFailure", "Uploading")


@pytest.fixture(autouse=True)
def place(settings, tmp_path):
    settings.CSMS_MEDIA_DIR = str(tmp_path)
    settings.CSMS_PUBLIC_URL = PUBLIC
    settings.CSMS_PROVISION = False


@sync_to_async
def send(k1, olga, action, payload):
    """What `POST /ocpp/stations/{id}/commands` does."""
    check_request("ocpp1.6", action, payload)
    station = Station.objects.get(pk=k1.pk)
    return registry.ask_station(station=station, action=action, payload=payload, by=olga)


async def ended(command):
    async def is_ended():
        await command.arefresh_from_db()
        return command.resolved_at is not None

    await until(is_ended)
    return command


async def tell(station, action, *statuses, **more):
    for status in statuses:
        assert await station.call(action, {"status": status, **more}) == {}


# --- The public cases: 044_1 to 045_2, 079 to 081 ------------------------------------------------


@pytest.mark.parametrize(
    "statuses",
    [
        ("Downloading", "Downloaded", "Installing", "Installed"),
        ("Downloading", "DownloadFailed"),
        ("Downloading", "Downloaded", "Installing", "InstallationFailed"),
    ],
)
async def test_an_update_by_hand_goes_out_and_its_statuses_are_kept(plug_in, k1, olga, statuses):
    station = await plug_in(answers={"UpdateFirmware": {}})
    await station.boot()
    command = await send(k1, olga, "UpdateFirmware", PLAIN)
    assert await station.expect_call("UpdateFirmware") == PLAIN
    assert ((await ended(command)).status, command.response) == ("answered", {})
    await tell(station, "FirmwareStatusNotification", *statuses)
    assert (await FirmwareReport.objects.aget()).status == statuses[-1]


@pytest.mark.parametrize("statuses", [("Uploading", "Uploaded"), ("Uploading", "UploadFailed")])
async def test_diagnostics_by_hand(plug_in, k1, olga, statuses):
    station = await plug_in(answers={"GetDiagnostics": {"fileName": "d.zip"}})
    await station.boot()
    command = await send(k1, olga, "GetDiagnostics", {"location": "ftp://acme.example/logs"})
    assert (await ended(command)).response == {"fileName": "d.zip"}
    await tell(station, "DiagnosticsStatusNotification", *statuses)
    assert not await LogRequest.objects.aexists()


async def test_a_security_log_by_hand(plug_in, k1, olga):
    station = await plug_in(answers={"GetLog": {"status": "Accepted", "filename": "s.log"}})
    await station.boot()
    command = await send(k1, olga, "GetLog", LOG)
    assert await station.expect_call("GetLog") == LOG
    assert (await ended(command)).response == {"status": "Accepted", "filename": "s.log"}
    await tell(station, "LogStatusNotification", "Uploading", "Uploaded", requestId=8)


@pytest.mark.parametrize(
    "statuses",
    [
        ("Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting"),
        ("Downloading", "Downloaded", "InvalidSignature"),
    ],
)
async def test_a_signed_update_by_hand(plug_in, k1, olga, statuses):
    station = await plug_in(answers={"SignedUpdateFirmware": {"status": "Accepted"}})
    await station.boot()
    command = await send(k1, olga, "SignedUpdateFirmware", SIGNED)
    assert await station.expect_call("SignedUpdateFirmware") == SIGNED
    assert (await ended(command)).status == "answered"
    await tell(station, "SignedFirmwareStatusNotification", *statuses, requestId=7)
    report = await FirmwareReport.objects.aget()
    assert (report.status, report.request_id) == (statuses[-1], 7)


# --- Campaigns and requests of ours --------------------------------------------------------------


async def test_a_campaign_reaches_a_station_and_ends_with_its_boot(plug_in, k1, olga):
    station = await plug_in(answers={"UpdateFirmware": {}})
    await station.boot(firmwareVersion="1.0")
    image = await sync_to_async(add_image)(olga, make=images.Make("2.0"))
    await sync_to_async(plan)(olga, image, k1)
    await sync_to_async(beat)()
    asked = await station.expect_call("UpdateFirmware")
    assert asked["location"].startswith(f"{PUBLIC}/firmware/")
    await tell(station, "FirmwareStatusNotification", "Downloading", "Downloaded", "Installing")
    await tell(station, "FirmwareStatusNotification", "Installed")
    assert (await FirmwareUpdate.objects.aget()).status == "installing"
    await station.boot(firmwareVersion="2.0")
    assert (await FirmwareUpdate.objects.aget()).status == "installed"


async def test_a_campaign_waits_for_a_station_that_lost_its_socket(plug_in, k1, olga):
    station = await plug_in(answers={"UpdateFirmware": None})
    await station.boot(firmwareVersion="1.0")
    image = await sync_to_async(add_image)(olga, make=images.Make("2.0"))
    await sync_to_async(plan)(olga, image, k1)
    await sync_to_async(beat)()
    await station.expect_call("UpdateFirmware")
    await station.close()

    async def is_queued():
        return (await FirmwareUpdate.objects.aget()).status == "queued"

    await until(is_queued)


@pytest.mark.parametrize("code", ["NotSupported", "NotImplemented"])
async def test_a_station_without_the_profile_is_skipped(plug_in, k1, olga, code):
    station = await plug_in(answers={"UpdateFirmware": [code, ""]})
    await station.boot(firmwareVersion="1.0")
    image = await sync_to_async(add_image)(olga, make=images.Make("2.0"))
    await sync_to_async(plan)(olga, image, k1)
    await sync_to_async(beat)()

    async def is_skipped():
        return (await FirmwareUpdate.objects.aget()).cause == "not_supported"

    await until(is_skipped)


async def test_a_log_that_staff_ask_for_is_followed(plug_in, k1, olga):
    station = await plug_in(answers={"GetLog": {"status": "Accepted", "filename": "s.log"}})
    await station.boot()

    @sync_to_async
    def ask():
        row = Station.objects.get(pk=k1.pk)
        kind = LogRequest.Kind.SECURITY_LOG
        return uploads.request_log(station=row, kind=kind, by=olga, reason="an alarm")

    request = await ask()
    asked = await station.expect_call("GetLog")
    assert asked["requestId"] == request.pk
    await ended(await Command.objects.aget())
    await tell(
        station, "LogStatusNotification", "Uploading", "Uploaded", requestId=asked["requestId"]
    )
    await request.arefresh_from_db()
    assert (request.status, request.file_name) == ("uploaded", "s.log")


async def test_an_answer_that_breaks_its_schema_ends_the_request(plug_in, k1, olga):
    station = await plug_in(answers={"GetLog": {"status": "Perhaps"}})
    await station.boot()
    row = await Station.objects.aget(pk=k1.pk)
    kind = LogRequest.Kind.DIAGNOSTICS_LOG
    await sync_to_async(uploads.request_log)(station=row, kind=kind, by=olga, reason="an alarm")

    async def is_failed():
        request = await LogRequest.objects.aget()
        return (request.status, request.cause) == ("failed", "invalid_response")

    await until(is_failed)


# --- Whatever a station says, it is answered -----------------------------------------------------


@pytest.mark.parametrize(
    ("action", "status"),
    [
        *(("FirmwareStatusNotification", status) for status in FIRMWARE),
        *(("SignedFirmwareStatusNotification", status) for status in (*FIRMWARE, *SIGNED_ONLY)),
        *(("DiagnosticsStatusNotification", status) for status in DIAGNOSTICS),
        *(("LogStatusNotification", status) for status in LOGS),
    ],
)
async def test_every_status_is_confirmed_though_nobody_asked(plug_in, k1, action, status):
    station = await plug_in()
    assert await station.call(action, {"status": status}) == {}
    assert await station.call(action, {"status": status}) == {}, "also when repeated"


@pytest.mark.parametrize("action", ["SignedFirmwareStatusNotification", "LogStatusNotification"])
@pytest.mark.parametrize("number", [0, -1, 4711, 2**31 - 1, 10**30])
async def test_an_unknown_number_is_confirmed(plug_in, k1, action, number):
    station = await plug_in()
    assert await station.call(action, {"status": "Idle", "requestId": number}) == {}


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        (
            "FirmwareStatusNotification",
            {"status": "InvalidSignature"},
            "PropertyConstraintViolation",
        ),
        ("FirmwareStatusNotification", {}, "ProtocolError"),
        ("FirmwareStatusNotification", {"status": 1}, "TypeConstraintViolation"),
        ("DiagnosticsStatusNotification", {"status": "Done"}, "PropertyConstraintViolation"),
        ("DiagnosticsStatusNotification", {}, "ProtocolError"),
        (
            "LogStatusNotification",
            {"status": "Idle", "requestId": "1"},
            "TypeConstraintViolation",
        ),
        ("SignedFirmwareStatusNotification", {"requestId": 1}, "ProtocolError"),
    ],
)
async def test_a_status_that_breaks_its_schema_is_refused(plug_in, k1, action, payload, code):
    station = await plug_in()
    answer = await station.ask(action, payload)
    assert answer[0] == 4
    assert answer[2] == code
    assert not await FirmwareReport.objects.aexists()


@pytest.mark.parametrize(
    "action",
    [
        "FirmwareStatusNotification",
        "SignedFirmwareStatusNotification",
        "DiagnosticsStatusNotification",
        "LogStatusNotification",
    ],
)
@pytest.mark.parametrize("payload", [{}, {"status": ["x"]}, {"status": "x\0" * 99}])
async def test_a_lenient_station_is_confirmed_whatever_it_says(plug_in, k1, action, payload):
    await Station.objects.filter(pk=k1.pk).aupdate(is_lenient=True)
    station = await plug_in()
    assert await station.call(action, payload) == {}
