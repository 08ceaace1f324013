"""Firmware campaigns: who is asked when, what stations tell, and what is true in the end."""

import datetime as dt
import itertools

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from billing.errors import Invalid
from sessions_app.services import calls
from sessions_app.tests.stage import Stage, connect
from stations import addresses, storage
from stations.errors import (
    CampaignEnded,
    FileTooLarge,
    ImageInUse,
    NoPublicAddress,
    StorageFailed,
)
from stations.firmware import campaigns, images, progress
from stations.models import (
    Alert,
    Command,
    FirmwareCampaign,
    FirmwareImage,
    FirmwareUpdate,
    Site,
    Station,
)
from stations.tests.cast import break_rows, run_at_once
from stations.tests.maintenance import (
    BYTES,
    PUBLIC,
    add_image,
    beat,
    boot,
    plan,
    reported,
    take,
    tell,
    update_of,
)
from stations.tests.requests import pem_of, self_signed

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
PLAIN = ("Downloading", "DownloadFailed", "Downloaded", "Idle", "InstallationFailed", "Installing")
SEAL = ("c2lnbmF0dXJl", pem_of(self_signed("Acme firmware")))


@pytest.fixture(autouse=True)
def place(settings, tmp_path):
    settings.CSMS_MEDIA_DIR = str(tmp_path)
    settings.CSMS_PUBLIC_URL = PUBLIC
    settings.CSMS_PROVISION = False
    return tmp_path


@pytest.fixture
def k1(station):
    boot(station, "1.0")
    return connect(station)


@pytest.fixture
def image(olga):
    return add_image(olga)


def another(number, **more):
    row = Station.objects.create(
        **{
            "station_id": f"K-{number}",
            "identity": f"k-{number}",
            "vendor": "Acme",
            "model": "One",
            "firmware_version": "1.0",
            **more,
        }
    )
    return connect(row)


def ask(olga, image, k1, **pace):
    """Plan, and let the call go out; return its command."""
    plan(olga, image, k1, **pace)
    beat()
    return take(k1)


def accept(olga, image, k1, **pace):
    command = ask(olga, image, k1, **pace)
    calls.record_answer(command.pk, {"status": "Accepted"} if image.is_signed else {})
    return command


def state(station):
    row = update_of(station)
    return row.status, row.cause


# --- Images --------------------------------------------------------------------------------------


def test_an_image_is_kept_with_its_digest(olga, image, place):
    assert (image.size_bytes, image.file_name) == (len(BYTES), "fw_2.0.bin")
    assert storage.locate(image.path).read_bytes() == BYTES
    assert image.path.startswith("firmware/")
    entry = LogEntry.objects.get(object_id=str(image.pk))
    assert (entry.user, entry.change_message) == (olga, "new release")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"make": images.Make(" ")}, "version"),
        ({"file": None}, "uri"),
        ({"uri": "https://acme.example/fw.bin"}, "uri"),
        ({"file": None, "uri": "file:///etc/passwd"}, "uri"),
        ({"file": None, "uri": "https://"}, "uri"),
        ({"file": None, "uri": "http://[x/fw"}, "uri"),
        ({"seal": images.Seal(signature="c2ln")}, "signature"),
        ({"seal": images.Seal(certificate=SEAL[1])}, "signature"),
        ({"seal": images.Seal("!!", SEAL[1])}, "signature"),
        ({"seal": images.Seal("A" * 804, SEAL[1])}, "signature"),
        ({"seal": images.Seal(SEAL[0], "not PEM")}, "signing_certificate"),
    ],
)
def test_a_wrong_image_is_refused_and_leaves_no_file(olga, place, more, field):
    with pytest.raises(Invalid) as refused:
        add_image(olga, **more)
    assert refused.value.fields.keys() == {field}
    assert not FirmwareImage.objects.exists()
    assert [path for path in place.rglob("*") if path.is_file()] == []


def test_an_image_that_is_too_large_leaves_no_file(olga, place, settings):
    settings.CSMS_FIRMWARE_MAX_MB = 1
    with pytest.raises(FileTooLarge):
        add_image(olga, file=b"x" * 1_000_001)
    assert [path for path in place.rglob("*") if path.is_file()] == []


def test_a_disk_that_takes_nothing_is_told(olga, place):
    (place / "firmware").write_text("a file where the folder should be")
    with pytest.raises(StorageFailed):
        add_image(olga)
    assert not FirmwareImage.objects.exists()


def test_an_image_that_was_used_stays(olga, image, k1):
    plan(olga, image, k1)
    with pytest.raises(ImageInUse):
        images.remove_image(image=image, by=olga, reason="old")
    assert storage.locate(image.path).exists()


@pytest.mark.django_db(transaction=True)
def test_a_removed_image_takes_its_file_with_it(olga):
    image = add_image(olga)
    path = storage.locate(image.path)
    images.remove_image(image=image, by=olga, reason="wrong file")
    assert not path.exists()


# --- Planning ------------------------------------------------------------------------------------


def test_each_condition_narrows_the_group(k1, olga):
    site = Site.objects.create(name="Osh")
    k2 = another(2, site=site)
    k3 = another(3, site=site, model="Two", firmware_version="1.5")
    assert set(campaigns.choose({"vendor": "ACME"})) == {k1, k2, k3}
    assert set(campaigns.choose({"site": site})) == {k2, k3}
    assert set(campaigns.choose({"site": site, "model": "one"})) == {k2}
    assert set(campaigns.choose({"version": "1.5"})) == {k3}
    assert set(campaigns.choose({"stations": [k1, k3], "model": "Two"})) == {k3}


def test_a_group_without_any_condition_is_nobody(olga, image, k1):
    with pytest.raises(Invalid):
        plan(olga, image)
    assert not FirmwareCampaign.objects.exists()


def test_a_campaign_for_no_station_or_half_a_window_is_refused(olga, image, k1):
    group = {"vendor": "Nobody"}
    more = {"name": "x", "image": image, "by": olga, "reason": "x"}
    with pytest.raises(Invalid):
        campaigns.plan_campaign(group=group, pace={}, **more)
    with pytest.raises(Invalid):
        plan(olga, image, k1, from_hour=22)
    assert not FirmwareCampaign.objects.exists()


def test_a_file_of_ours_needs_an_address_that_stations_reach(olga, image, k1, settings):
    settings.CSMS_PUBLIC_URL = ""
    with pytest.raises(NoPublicAddress):
        plan(olga, image, k1)
    plan(olga, add_image(olga, file=None, uri="ftp://acme.example/fw.bin"), k1)


def test_stations_that_have_it_or_are_of_another_make_are_skipped(olga, image, k1):
    k2, k3 = another(2, firmware_version="2.0"), another(3, model="Two")
    plan(olga, image, k1, k2, k3)
    assert [state(row) for row in (k1, k2, k3)] == [
        ("queued", ""),
        ("skipped", "already_has_it"),
        ("skipped", "other_make"),
    ]


# --- Asking --------------------------------------------------------------------------------------


def test_a_station_is_asked_in_the_words_of_the_specification(olga, image, k1):
    command = ask(olga, image, k1, retries=2, retry_interval_s=60)
    update = update_of(k1)
    address = addresses.address("firmware", update.pk, "fw_2.0.bin")
    assert address.startswith(f"{PUBLIC}/firmware/{update.pk}.")
    assert command.action == "UpdateFirmware"
    assert command.payload.pop("retrieveDate").endswith("Z")
    assert command.payload == {"location": address, "retries": 2, "retryInterval": 60}
    assert (command.lane, command.reference) == (Command.Lane.OWN, f"firmware:{update.pk}")
    assert update.status == "asked"


def test_a_signed_image_goes_out_signed(olga, k1):
    command = ask(olga, add_image(olga, seal=images.Seal(*SEAL)), k1)
    assert command.action == "SignedUpdateFirmware"
    assert command.payload["requestId"] == update_of(k1).pk
    firmware = command.payload["firmware"]
    assert (firmware["signature"], firmware["signingCertificate"]) == (SEAL[0], SEAL[1].strip())


def test_an_external_address_goes_out_as_it_is(olga, k1):
    command = ask(olga, add_image(olga, file=None, uri="ftp://acme.example/fw.bin"), k1)
    assert command.payload["location"] == "ftp://acme.example/fw.bin"


def test_only_so_many_are_asked_at_a_time(olga, image, k1):
    k2, k3 = another(2), another(3)
    plan(olga, image, k1, k2, k3, max_at_once=2)
    beat()
    beat()
    assert [state(row)[0] for row in (k1, k2, k3)] == ["asked", "asked", "queued"]
    tell(k1, "Downloading", "InstallationFailed")
    FirmwareCampaign.objects.update(stop_percent=50)
    beat()
    assert state(k3)[0] == "asked"


def test_a_station_that_is_away_or_not_accepted_waits(olga, image, k1):
    k2 = another(2, registration="Pending")
    plan(olga, image, k1, k2)
    Station.objects.filter(pk=k1.pk).update(owner=None)
    beat()
    assert not Command.objects.exists()
    connect(k1)
    beat()
    assert [state(row)[0] for row in (k1, k2)] == ["asked", "queued"]


def test_a_station_that_charges_is_asked_when_the_charge_is_over(olga, alice, image, station):
    boot(station, "1.0")
    stage = Stage(station)
    session = stage.charge(alice)
    plan(olga, image, stage.station)
    beat()
    assert state(station)[0] == "queued"
    stage.end(session.transaction_id)
    beat()
    assert state(station)[0] == "asked"


@pytest.mark.parametrize(
    ("window", "hour", "is_asked"),
    [
        ((2, 5), 1, False),
        ((2, 5), 2, True),
        ((2, 5), 5, False),
        ((23, 5), 22, False),
        ((23, 5), 23, True),
        ((23, 5), 4, True),
        ((23, 5), 5, False),
        ((0, 0), 12, True),
    ],
)
def test_a_window_is_in_the_hours_of_the_station(olga, image, k1, window, hour, is_asked):
    Station.objects.update(time_zone="Asia/Bishkek")  # six hours ahead, all the year
    today = timezone.now().replace(hour=0, minute=30, second=0, microsecond=0)
    plan(olga, image, k1, from_hour=window[0], until_hour=window[1], begins_at=today - 24 * HOUR)
    beat(today + (hour + 18) % 24 * HOUR)
    assert (state(k1)[0] == "asked") is is_asked


def test_nothing_is_asked_before_the_beginning(olga, image, k1):
    plan(olga, image, k1, begins_at=timezone.now() + HOUR)
    beat()
    assert state(k1)[0] == "queued"
    beat(timezone.now() + 2 * HOUR)
    assert state(k1)[0] == "asked"


def test_two_campaigns_never_work_on_one_station(olga, image, k1):
    plan(olga, image, k1)
    plan(olga, add_image(olga, make=images.Make("3.0")), k1)
    beat()
    beat()
    rows = FirmwareUpdate.objects.filter(station=k1).order_by("pk")
    assert [row.status for row in rows] == ["asked", "queued"]


# --- Answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Accepted", ("asked", "")),
        ("AcceptedCanceled", ("asked", "")),
        ("Rejected", ("failed", "rejected")),
        ("InvalidCertificate", ("failed", "invalid_certificate")),
        ("RevokedCertificate", ("failed", "revoked_certificate")),
    ],
)
def test_a_signed_update_is_answered(olga, k1, answer, expected):
    command = ask(olga, add_image(olga, seal=images.Seal(*SEAL)), k1)
    calls.record_answer(command.pk, {"status": answer})
    assert state(k1) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("NotSupported", ("skipped", "not_supported")),
        ("NotImplemented", ("skipped", "not_supported")),
        ("InternalError", ("failed", "internal_error")),
        ("GenericError", ("failed", "generic_error")),
        ("invalid_response", ("asked", "")),
    ],
)
def test_a_refusal_ends_it_and_an_unreadable_answer_does_not(olga, image, k1, code, expected):
    command = ask(olga, image, k1)
    calls.record_refusal(command.pk, code, "")
    assert state(k1) == expected


def test_silence_and_a_lost_socket_are_asked_again_with_the_same_address(olga, image, k1):
    first = ask(olga, image, k1)
    calls.record_silence(first.pk)
    assert state(k1)[0] == "queued"
    beat()
    assert Command.objects.count() == 1, "not at once"
    beat(timezone.now() + 2 * progress.ASK_AGAIN_AFTER)
    second = take(k1)
    assert second.payload["location"] == first.payload["location"]
    calls.cut_off(station_pk=k1.pk, fence=k1.fence + 1)
    assert state(k1)[0] == "queued"


def test_a_station_that_never_answers_is_given_up(olga, image, k1):
    plan(olga, image, k1)
    for number in range(1, progress.MAX_ASKS + 1):
        beat(timezone.now() + 2 * number * progress.ASK_AGAIN_AFTER)
        calls.record_silence(take(k1).pk)
        FirmwareUpdate.objects.filter(status="queued").update(due_at=None)
    assert state(k1) == ("failed", "no_answer")


def test_progress_before_the_answer_is_not_undone_by_silence(olga, image, k1):
    command = ask(olga, image, k1)
    tell(k1, "Downloading")
    calls.record_silence(command.pk)
    assert state(k1)[0] == "downloading"


def test_a_station_that_heard_although_its_answer_was_lost_is_not_asked_again(olga, image, k1):
    command = ask(olga, image, k1)
    calls.record_silence(command.pk)
    tell(k1, "Downloading")
    beat(timezone.now() + 2 * progress.ASK_AGAIN_AFTER)
    assert state(k1)[0] == "downloading"
    assert Command.objects.count() == 1


# --- Statuses ------------------------------------------------------------------------------------


def test_a_whole_update_ends_with_the_version_at_boot(olga, image, k1):
    accept(olga, image, k1)
    for status, expected in (
        ("Downloading", "downloading"),
        ("Downloaded", "downloaded"),
        ("Installing", "installing"),
        ("Installed", "installing"),
    ):
        tell(k1, status)
        assert state(k1)[0] == expected
    boot(k1)
    assert state(k1) == ("installed", "")
    beat()
    campaign = FirmwareCampaign.objects.get()
    assert (campaign.status, campaign.ended_at is not None) == ("completed", True)


def test_a_boot_before_installed_is_enough(olga, image, k1):
    accept(olga, image, k1)
    tell(k1, "Downloading", "Downloaded", "Installing")
    boot(k1)
    tell(k1, "Installed")
    assert state(k1) == ("installed", "")


def test_installed_with_another_version_at_boot_has_failed(olga, image, k1):
    accept(olga, image, k1)
    tell(k1, "Downloading", "Installing", "Installed")
    boot(k1, "1.0")
    assert state(k1) == ("failed", "other_version")


def test_a_reboot_in_the_midst_of_it_fails_nothing(olga, image, k1):
    accept(olga, image, k1)
    tell(k1, "Downloading")
    boot(k1, "1.0")
    assert state(k1)[0] == "downloading"


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ("DownloadFailed", "download_failed"),
        ("InstallationFailed", "installation_failed"),
        ("InvalidSignature", "invalid_signature"),
        ("InstallVerificationFailed", "install_verification_failed"),
    ],
)
def test_a_failure_names_its_cause(olga, image, k1, status, cause):
    accept(olga, image, k1)
    tell(k1, "Downloading", status, status)
    assert state(k1) == ("failed", cause)
    assert reported(k1) == status


def test_a_station_that_tries_again_is_followed(olga, image, k1):
    accept(olga, image, k1)
    tell(k1, "Downloading", "DownloadFailed", "Downloading", "Downloaded")
    assert state(k1) == ("downloaded", "")


@pytest.mark.parametrize(
    "order", list(itertools.permutations(("Downloading", "Downloaded", "Installing")))
)
def test_an_update_never_goes_back(olga, image, k1, order):
    accept(olga, image, k1)
    tell(k1, *order, *order)
    assert state(k1)[0] == "installing"


@pytest.mark.parametrize("status", [*progress.STEPS, "Idle", "DownloadScheduled", "Nonsense"])
def test_what_is_installed_stays_installed(olga, image, k1, status):
    accept(olga, image, k1)
    boot(k1)
    tell(k1, status)
    assert state(k1) == ("installed", "")


@pytest.mark.parametrize("status", ["Idle", "DownloadScheduled", "Nonsense", ""])
def test_a_status_that_leads_nowhere_moves_nothing(olga, image, k1, status):
    accept(olga, image, k1)
    tell(k1, "Downloading", status)
    assert state(k1)[0] == "downloading"
    assert reported(k1) == (status or "Downloading")


@pytest.mark.parametrize("status", progress.STEPS)
def test_a_status_without_any_update_is_kept_for_the_station(k1, status):
    tell(k1, status, request_id=4711)
    assert reported(k1) == status
    assert not FirmwareUpdate.objects.exists()


@pytest.mark.parametrize("status", progress.STEPS)
def test_a_status_for_an_unknown_request_moves_nothing(olga, image, k1, status):
    accept(olga, image, k1)
    tell(k1, status, request_id=update_of(k1).pk + 1)
    assert state(k1)[0] == "asked"


def test_the_number_of_anothers_update_moves_neither(olga, image, k1):
    k2 = another(2)
    plan(olga, image, k1, k2)
    beat()
    tell(k1, "Downloading", request_id=update_of(k2).pk)
    assert (state(k1)[0], state(k2)[0]) == ("asked", "asked")


def test_a_status_before_it_was_asked_moves_nothing(olga, image, k1):
    plan(olga, image, k1)
    tell(k1, "Downloading", "Installed")
    assert state(k1)[0] == "queued"


def test_a_version_that_came_by_another_way_is_not_asked_for(olga, image, k1):
    plan(olga, image, k1)
    boot(k1)
    assert state(k1) == ("skipped", "already_has_it")


def test_an_update_by_hand_replaces_ours(olga, image, k1):
    accept(olga, image, k1)
    payload = {"location": "ftp://x/y", "retrieveDate": "2026-01-01T00:00:00Z"}
    by_hand = Command.objects.create(
        station=k1, action="UpdateFirmware", payload=payload, lane=2, status="sent"
    )
    calls.record_answer(by_hand.pk, {})
    assert state(k1) == ("failed", "replaced")
    tell(k1, "Downloading")
    assert state(k1) == ("failed", "replaced")
    assert reported(k1) == "Downloading"


def test_an_update_by_hand_that_was_refused_replaces_nothing(olga, image, k1):
    accept(olga, image, k1)
    by_hand = Command.objects.create(station=k1, action="UpdateFirmware", lane=2, status="sent")
    calls.record_refusal(by_hand.pk, "InternalError", "")
    assert state(k1)[0] == "asked"


# --- Silence, failures and what staff decide -----------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "cause"),
    [
        ((), "silent"),
        (("Downloading",), "silent"),
        (("Downloaded",), "silent"),
        (("Installing",), "silent"),
        (("Installing", "Installed"), "not_confirmed"),
    ],
)
def test_silence_ends_an_update(olga, image, k1, statuses, cause):
    accept(olga, image, k1)
    tell(k1, *statuses)
    update = update_of(k1)
    beat(update.due_at - dt.timedelta(seconds=1))
    assert state(k1)[0] == update.status
    beat(update.due_at)
    assert state(k1) == ("failed", cause)


def test_a_boot_after_it_was_given_up_is_the_truth(olga, image, k1):
    accept(olga, image, k1)
    tell(k1, "Installing", "Installed")
    beat(update_of(k1).due_at)
    boot(k1)
    assert state(k1) == ("installed", "")


def test_too_many_failures_stop_the_rest_until_staff_go_on(olga, image, k1):
    k2, k3 = another(2), another(3)
    campaign = plan(olga, image, k1, k2, k3, max_at_once=1, stop_percent=33)
    beat()
    tell(k1, "Downloading", "DownloadFailed")
    beat()
    campaign.refresh_from_db()
    assert (campaign.status, state(k2)[0]) == ("stopped", "queued")
    assert Alert.objects.get().kind == "firmware_campaign_stopped"

    campaigns.resume(campaign_id=campaign.pk, by=olga, reason="one bad cable")
    beat()
    assert state(k2)[0] == "asked"
    assert Alert.objects.filter(resolved_at__isnull=True).count() == 0


def test_a_paused_campaign_asks_nobody_and_hears_what_goes_on(olga, image, k1):
    k2 = another(2)
    campaign = plan(olga, image, k1, k2, max_at_once=1)
    beat()
    campaigns.pause(campaign_id=campaign.pk, by=olga, reason="holiday")
    tell(k1, "Downloading")
    boot(k1)
    beat()
    assert (state(k1)[0], state(k2)[0]) == ("installed", "queued")
    campaigns.resume(campaign_id=campaign.pk, by=olga, reason="over")
    beat()
    assert state(k2)[0] == "asked"


def test_a_cancelled_campaign_lets_what_was_asked_end(olga, image, k1):
    k2 = another(2)
    campaign = plan(olga, image, k1, k2, max_at_once=1)
    beat()
    campaigns.cancel(campaign_id=campaign.pk, by=olga, reason="wrong image")
    assert state(k2) == ("skipped", "cancelled")
    calls.record_silence(take(k1).pk)
    assert state(k1) == ("skipped", "cancelled")
    assert LogEntry.objects.filter(change_message="cancelled · wrong image").exists()


def test_what_ended_cannot_be_paused_resumed_or_cancelled(olga, image, k1):
    campaign = plan(olga, image, k1)
    campaigns.cancel(campaign_id=campaign.pk, by=olga, reason="x")
    for act in (campaigns.pause, campaigns.resume, campaigns.cancel, campaigns.retry):
        with pytest.raises(CampaignEnded):
            act(campaign_id=campaign.pk, by=olga, reason="x")


def test_failures_are_retried_all_or_one(olga, image, k1):
    k2 = another(2)
    campaign = plan(olga, image, k1, k2, stop_percent=100)
    with pytest.raises(CampaignEnded):
        campaigns.retry(campaign_id=campaign.pk, by=olga, reason="x")
    beat()
    for row in (k1, k2):
        tell(row, "DownloadFailed")
    beat()
    more = {"campaign_id": campaign.pk, "by": olga, "reason": "new cable"}
    assert campaigns.retry(update_id=update_of(k1).pk, **more) == 1
    beat()
    assert (state(k1)[0], state(k2)[0]) == ("asked", "failed")
    assert campaigns.retry(**more) == 1


def test_one_beat_of_many_workers_asks_once(olga, image, k1):
    plan(olga, image, k1)
    for _ in range(3):
        beat()
    assert Command.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_ask_once(olga, image, k1):
    k2 = another(2)
    plan(olga, image, k1, k2, max_at_once=1)
    run_at_once(beat, beat)
    beat()
    assert Command.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_boot_and_a_beat_at_once_leave_one_truth(olga, image, k1):
    """Both lock the station before its update: neither waits for the other for ever."""
    accept(olga, image, k1)
    tell(k1, "Installing", "Installed")
    overdue = update_of(k1).due_at
    run_at_once(lambda: boot(k1), lambda: beat(overdue))
    assert state(k1) == ("installed", "")


def test_a_station_that_cannot_be_asked_keeps_no_other_waiting(olga, image, k1):
    k2 = another(2)
    plan(olga, image, k1, k2, max_at_once=1)
    break_rows(Command, station=k1.pk)
    beat()
    beat()
    assert (state(k1)[0], state(k2)[0]) == ("queued", "asked")


def test_an_update_that_cannot_be_given_up_keeps_no_other_waiting(olga, image, k1):
    k2 = another(2)
    plan(olga, image, k1, k2)
    beat()
    break_rows(FirmwareUpdate, id=update_of(k1).pk)
    beat(timezone.now() + HOUR)
    assert (state(k1)[0], state(k2)[0]) == ("asked", "failed")
