"""The certificates of a simulated station (whitepaper A02, M03-M05)."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from stations.simulator.memory import Memory
from stations.tests.paper import make_root, pem_of
from stations.tests.test_simulator_answers import connected, status_of

CENTRAL, MAKER = "CentralSystemRootCertificate", "ManufacturerRootCertificate"
ROOT = make_root("Kubat CA")


async def ask_for_request(central):
    wanted = "SignChargePointCertificate"
    told = len(central.payloads("SignCertificate"))
    answer = await status_of(central, "ExtendedTriggerMessage", requestedMessage=wanted)
    assert answer == "Accepted"
    await central.until(lambda c: len(c.payloads("SignCertificate")) > told)
    return x509.load_pem_x509_csr(central.payloads("SignCertificate")[-1]["csr"].encode())


async def give(central, *certificates):
    chain = "".join(pem_of(certificate) for certificate in certificates)
    return await status_of(central, "CertificateSigned", certificateChain=chain)


async def install(central, root, use=CENTRAL):
    payload = {"certificateType": use, "certificate": pem_of(root)}
    return await status_of(central, "InstallCertificate", **payload)


async def named(central, use=CENTRAL):
    _, answer = await central.call("GetInstalledCertificateIds", {"certificateType": use})
    return answer


async def test_a_request_is_signed_by_a_key_that_stays_and_names_station_and_operator():
    async with connected() as (central, station):
        await status_of(central, "ChangeConfiguration", key="CpoName", value="Kubat Ltd")
        request = await ask_for_request(central)
        assert request.is_signature_valid
        names = {a.oid: a.value for a in request.subject}
        assert names == {NameOID.COMMON_NAME: "S-1", NameOID.ORGANIZATION_NAME: "Kubat Ltd"}
        signed = ROOT.certify("S-1", request.public_key())
        assert await give(central, signed, ROOT.certificate) == "Accepted"
        private = serialization.load_pem_private_key(station.memory.private_key.encode(), None)
        assert private.public_key() == signed.public_key()


async def test_each_request_has_a_key_of_its_own():
    async with connected() as (central, _):
        first, second = await ask_for_request(central), await ask_for_request(central)
        assert first.public_key() != second.public_key()
        assert await give(central, ROOT.certify("S-1", first.public_key())) == "Rejected"
        assert await give(central, ROOT.certify("S-1", second.public_key())) == "Accepted"


async def test_a_certificate_that_nobody_asked_for_or_of_another_key_raises_an_event():
    async with connected() as (central, station):
        stranger = ec.generate_private_key(ec.SECP256R1()).public_key()
        assert await give(central, ROOT.certify("S-1", stranger)) == "Rejected"
        await ask_for_request(central)
        assert await give(central, ROOT.certify("S-1", stranger)) == "Rejected"
        assert await status_of(central, "CertificateSigned", certificateChain="x") == "Rejected"
        await central.until(lambda c: len(c.payloads("SecurityEventNotification")) == 3)
        assert station.memory.certificate_chain == ""
    events = central.payloads("SecurityEventNotification")
    assert {event["type"] for event in events} == {"InvalidChargePointCertificate"}


async def test_roots_are_named_by_their_hashes_and_deleted_by_them():
    async with connected() as (central, _):
        assert await named(central) == {"status": "NotFound"}
        assert await install(central, ROOT.certificate) == "Accepted"
        assert await install(central, make_root("Maker").certificate, MAKER) == "Accepted"
        told = await named(central)
        builder = ocsp.OCSPRequestBuilder()
        root = ROOT.certificate
        expected = builder.add_certificate(root, root, hashes.SHA256()).build()
        (row,) = told["certificateHashData"]
        assert row["issuerNameHash"] == expected.issuer_name_hash.hex()
        assert row["issuerKeyHash"] == expected.issuer_key_hash.hex()
        assert int(row["serialNumber"], 16) == root.serial_number
        shouted = {**row, "issuerKeyHash": row["issuerKeyHash"].upper()}
        delete = {"certificateHashData": shouted}
        assert await status_of(central, "DeleteCertificate", **delete) == "Accepted"
        assert await status_of(central, "DeleteCertificate", **delete) == "NotFound"
        assert await named(central) == {"status": "NotFound"}
        assert len((await named(central, MAKER))["certificateHashData"]) == 1


async def test_what_is_no_root_is_rejected_and_there_is_an_end_to_room():
    async with connected() as (central, station):
        payload = {"certificateType": CENTRAL, "certificate": "nothing"}
        assert await status_of(central, "InstallCertificate", **payload) == "Rejected"
        roots = [make_root(f"CA {n}").certificate for n in range(11)]
        answers = [await install(central, root) for root in roots]
        assert answers == ["Accepted"] * 10 + ["Failed"]
        assert await install(central, roots[0]) == "Accepted"
        assert len(station.memory.roots) == 10


async def test_certificates_outlive_the_process(tmp_path):
    file = tmp_path / "memory.json"
    async with connected() as (central, station):
        station.memory.file = file
        request = await ask_for_request(central)
        await give(central, ROOT.certify("S-1", request.public_key()))
        await install(central, ROOT.certificate)
    again = Memory.load(file)
    assert again.roots == [(CENTRAL, pem_of(ROOT.certificate))]
    assert (again.private_key, again.certificate_chain) == (
        station.memory.private_key,
        station.memory.certificate_chain,
    )


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [("LogStatusNotification", "Accepted"), ("Heartbeat", "Accepted"), ("X", "NotImplemented")],
)
async def test_an_extended_trigger_knows_the_log_and_all_that_a_trigger_knows(wanted, answer):
    async with connected() as (central, _):
        told = await status_of(central, "ExtendedTriggerMessage", requestedMessage=wanted)
        assert told == answer
        if answer == "Accepted":
            await central.until(lambda c: c.payloads(wanted))
