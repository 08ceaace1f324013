"""How a simulated station installs firmware and hands logs in."""

import base64
import datetime as dt

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from stations.tests.depot import open_depot
from stations.tests.paper import make_root, pem_of
from stations.tests.test_simulator_answers import charging, connected, status_of

IMAGE = b"2.0\nand the rest of it"
FIRMWARE, SIGNED = "FirmwareStatusNotification", "SignedFirmwareStatusNotification"
DIAGNOSTICS, LOG = "DiagnosticsStatusNotification", "LogStatusNotification"
MAKER = make_root("Maker")


@pytest.fixture
def depot():
    with open_depot() as depot:
        depot.files["/image.bin"] = IMAGE
        yield depot


def soon(seconds=0):
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).isoformat()


async def update(central, depot, path="/image.bin", **changes):
    payload = {"location": depot.url + path, "retrieveDate": soon()} | changes
    assert await central.call("UpdateFirmware", payload) == [3, {}]


async def signed_update(central, depot, *, signature=None, certificate=MAKER.certificate):
    signed = MAKER.key.sign(IMAGE, ec.ECDSA(hashes.SHA256())) if signature is None else signature
    firmware = {
        "location": depot.url + "/image.bin",
        "retrieveDateTime": soon(),
        "signingCertificate": pem_of(certificate) if certificate else "no certificate",
        "signature": base64.b64encode(signed).decode(),
    }
    return await status_of(central, "SignedUpdateFirmware", requestId=5, firmware=firmware)


def statuses(central, action=FIRMWARE):
    return [row["status"] for row in central.payloads(action)]


async def until_told(central, status, action=FIRMWARE):
    await central.until(lambda c: status in statuses(c, action))


async def test_an_update_is_told_step_by_step_and_the_station_boots_with_it(depot):
    async with connected() as (central, station):
        await update(central, depot)
        await central.until(lambda c: len(c.payloads("BootNotification")) == 2)
        assert station.memory.firmware_version == "2.0"
    assert statuses(central) == ["Downloading", "Downloaded", "Installing", "Installed"]
    versions = [boot["firmwareVersion"] for boot in central.payloads("BootNotification")]
    assert versions == ["1.0", "2.0"]


async def test_an_update_waits_for_its_time_and_for_the_charge(depot):
    async with connected() as (central, station):
        await charging(central)
        before = dt.datetime.now(dt.UTC)
        await update(central, depot, retrieveDate=soon(0.3))
        await until_told(central, "Downloaded")
        assert dt.datetime.now(dt.UTC) - before > dt.timedelta(seconds=0.25)
        assert station.connectors[1].transaction is not None
        await central.call("RemoteStopTransaction", {"transactionId": 1})
        await central.until(lambda c: len(c.payloads("BootNotification")) == 2)
    assert central.payloads("StopTransaction")[0]["reason"] == "Remote"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/nothing", ["Downloading", "DownloadFailed"]),
        ("/noise", ["Downloading", "Downloaded", "Installing", "InstallationFailed"]),
        ("/empty", ["Downloading", "Downloaded", "Installing", "InstallationFailed"]),
    ],
)
async def test_an_update_that_fails_leaves_the_old_version(depot, path, told):
    depot.files |= {"/noise": b"\x7fELF\x02\xff", "/empty": b""}
    async with connected() as (central, station):
        await update(central, depot, path)
        await until_told(central, told[-1])
        assert station.memory.firmware_version == "1.0"
        assert not station.maintenance.is_installing
    assert statuses(central) == told
    assert len(central.payloads("BootNotification")) == 1


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/x", "no address", "http://127.0.0.1:1/x"])
async def test_an_address_that_leads_nowhere_is_a_failed_download(depot, location):
    async with connected() as (central, _):
        await update(central, depot, location=location)
        await until_told(central, "DownloadFailed")


async def test_a_download_is_tried_as_often_as_it_is_said(depot):
    depot.busy = 2
    async with connected() as (central, _):
        await update(central, depot, retries=2, retryInterval=0)
        await until_told(central, "Installed")


async def test_a_signed_image_is_checked_before_it_is_installed(depot):
    async with connected() as (central, station):
        assert await signed_update(central, depot) == "Accepted"
        await central.until(lambda c: len(c.payloads("BootNotification")) == 2)
        assert station.memory.firmware_version == "2.0"
    assert {row["requestId"] for row in central.payloads(SIGNED)} == {5}
    steps = ["Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed"]
    assert statuses(central, SIGNED) == steps


async def test_an_image_that_another_signed_is_not_installed(depot):
    async with connected() as (central, station):
        forged = ec.generate_private_key(ec.SECP256R1()).sign(IMAGE, ec.ECDSA(hashes.SHA256()))
        assert await signed_update(central, depot, signature=forged) == "Accepted"
        await until_told(central, "InvalidSignature", SIGNED)
        assert station.memory.firmware_version == "1.0"


async def test_a_signing_certificate_must_be_one_and_of_the_maker(depot):
    async with connected() as (central, station):
        assert await signed_update(central, depot, certificate=None) == "InvalidCertificate"
        station.certificates.install("ManufacturerRootCertificate", pem_of(MAKER.certificate))
        other = make_root("Another").certificate
        assert await signed_update(central, depot, certificate=other) == "InvalidCertificate"
        assert await signed_update(central, depot) == "Accepted"


async def test_a_later_order_takes_the_place_of_the_one_under_way(depot):
    async with connected() as (central, _):
        await update(central, depot, retrieveDate=soon(3600))
        assert await signed_update(central, depot) == "AcceptedCanceled"
        await central.until(lambda c: len(c.payloads("BootNotification")) == 2)
    assert statuses(central) == []


async def test_diagnostics_are_put_there(depot):
    async with connected() as (central, _):
        _, answer = await central.call("GetDiagnostics", {"location": f"{depot.url}/upload/key/"})
        assert answer == {"fileName": "S-1.log"}
        await until_told(central, "Uploaded", DIAGNOSTICS)
    assert statuses(central, DIAGNOSTICS) == ["Uploading", "Uploaded"]
    assert "boot Accepted" in depot.taken["/upload/key/S-1.log"]


async def test_a_log_is_put_there_and_named_by_its_request(depot):
    depot.busy = 1
    wanted = {"logType": "SecurityLog", "requestId": 9, "log": {"remoteLocation": depot.url}}
    async with connected() as (central, _):
        _, answer = await central.call("GetLog", {**wanted, "retries": 1, "retryInterval": 0})
        assert answer == {"status": "Accepted", "filename": "S-1-SecurityLog.log"}
        await until_told(central, "Uploaded", LOG)
    assert {row["requestId"] for row in central.payloads(LOG)} == {9}
    assert "connected" in depot.taken["/S-1-SecurityLog.log"]


async def test_a_log_that_nobody_takes_has_failed(depot):
    depot.busy = 2
    async with connected() as (central, _):
        await central.call("GetDiagnostics", {"location": depot.url})
        await until_told(central, "UploadFailed", DIAGNOSTICS)
        log = {"remoteLocation": depot.url}
        wanted = {"logType": "DiagnosticsLog", "requestId": 1, "log": log}
        await central.call("GetLog", wanted)
        await until_told(central, "UploadFailure", LOG)


@pytest.mark.parametrize("message", [FIRMWARE, DIAGNOSTICS])
async def test_a_trigger_tells_of_what_is_over_as_idle(depot, message):
    async with connected() as (central, _):
        await central.call("GetDiagnostics", {"location": depot.url})
        await until_told(central, "Uploaded", DIAGNOSTICS)
        assert await status_of(central, "TriggerMessage", requestedMessage=message) == "Accepted"
        await until_told(central, "Idle", message)
