"""Firmware in the back office: images added, campaigns planned, followed and steered."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from billing.models import User
from billing.tests.back_office import errors_of, press, told
from conftest import PASSWORD
from sessions_app.tests.stage import connect
from stations.models import FirmwareCampaign, FirmwareImage, FirmwareUpdate, Station
from stations.tests.maintenance import PUBLIC, add_image, beat, boot, plan, tell, update_of

pytestmark = pytest.mark.django_db
IMAGES = reverse("admin:stations_firmwareimage_changelist")
CAMPAIGNS = reverse("admin:stations_firmwarecampaign_changelist")
UPDATES = reverse("admin:stations_firmwareupdate_changelist")
NEW_IMAGE = {"version": "2.0", "vendor": "Acme", "model": "One", "reason": "new release"}
NEW_CAMPAIGN = {
    "name": "Spring",
    "max_at_once": "2",
    "stop_percent": "10",
    "retries": "3",
    "retry_interval_s": "60",
}


@pytest.fixture(autouse=True)
def place(settings, tmp_path):
    settings.CSMS_MEDIA_DIR = str(tmp_path)
    settings.CSMS_PUBLIC_URL = PUBLIC
    settings.CSMS_PROVISION = False


@pytest.fixture
def k1(station):
    boot(station, "1.0")
    return connect(station)


def add(client, **values):
    return client.post(f"{IMAGES}add/", NEW_IMAGE | values, follow=True)


def button(row, name):
    address = reverse(f"admin:stations_{row._meta.model_name}_change", args=[row.pk])
    return address.replace("/change/", f"/{name}/")


def test_an_image_is_uploaded(olgas, olga):
    add(olgas, file=SimpleUploadedFile("fw.bin", b"firmware"))
    image = FirmwareImage.objects.get()
    assert (image.version, image.file_name, image.size_bytes) == ("2.0", "fw.bin", 8)
    entry = LogEntry.objects.get(object_id=str(image.pk))
    assert (entry.user, entry.change_message) == (olga, "new release")
    page = olgas.get(f"{IMAGES}{image.pk}/change/").text
    assert image.sha256 in page
    assert 'name="version"' not in page, "it never changes"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "uri"),
        ({"uri": "gopher://x/fw"}, "uri"),
        ({"uri": "ftp://x/fw", "signature": "c2ln"}, "signature"),
        ({"uri": "ftp://x/fw", "version": ""}, "version"),
        ({"uri": "ftp://x/fw", "reason": ""}, "reason"),
    ],
)
def test_a_wrong_image_is_shown_again_with_its_error(olgas, values, field):
    answer = add(olgas, **values)
    assert answer.context["adminform"].form.errors.keys() == {field}
    assert not FirmwareImage.objects.exists()


def test_an_image_that_nobody_used_is_removed(olgas, olga, k1):
    image = add_image(olga)
    press(olgas, button(image, "remove"), reason="wrong file")
    assert not FirmwareImage.objects.exists()
    used = add_image(olga)
    plan(olga, used, k1)
    answer = press(olgas, button(used, "remove"), reason="?")
    assert "A campaign used this image" in answer.text


def test_a_campaign_is_planned_for_chosen_stations(olgas, olga, k1):
    image = add_image(olga)
    assert f"{CAMPAIGNS}plan/" in olgas.get(CAMPAIGNS).text
    values = NEW_CAMPAIGN | {"image": image.pk, "stations": [k1.pk], "from_hour": "23"}
    where = f"{CAMPAIGNS}plan/"
    assert errors_of(press(olgas, where, **values)).keys() == {"reason"}
    assert errors_of(press(olgas, where, reason="fix", **values)).keys() == {"until_hour"}
    answer = press(olgas, where, reason="fix", until_hour="5", **values)
    assert told(answer)[0].startswith("Planned:")
    campaign = FirmwareCampaign.objects.get()
    assert (campaign.max_at_once, campaign.from_hour, campaign.until_hour) == (2, 23, 5)
    assert (campaign.created_by, campaign.reason) == (olga, "fix")
    assert update_of(k1).status == "queued"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "stations"),
        ({"vendor": "Nobody"}, "stations"),
        ({"vendor": "Acme", "image": "4711"}, "image"),
        ({"vendor": "Acme", "max_at_once": "0"}, "max_at_once"),
        ({"vendor": "Acme", "stop_percent": "101"}, "stop_percent"),
        ({"vendor": "Acme", "from_hour": "24"}, "from_hour"),
        ({"stations": ["4711"]}, "stations"),
    ],
)
def test_a_wrong_plan_is_shown_again_with_its_error(olgas, olga, k1, values, field):
    given = NEW_CAMPAIGN | {"image": add_image(olga).pk, "reason": "fix"} | values
    answer = press(olgas, f"{CAMPAIGNS}plan/", **given)
    assert errors_of(answer).keys() == {field}
    assert not FirmwareCampaign.objects.exists()


def test_without_an_address_staff_are_told_why(olgas, olga, k1, settings):
    settings.CSMS_PUBLIC_URL = ""
    values = NEW_CAMPAIGN | {"image": add_image(olga).pk, "vendor": "Acme", "reason": "fix"}
    assert "CSMS_PUBLIC_URL is not set" in press(olgas, f"{CAMPAIGNS}plan/", **values).text


def test_a_campaign_shows_its_progress(olgas, olga, k1):
    k2 = Station.objects.create(station_id="K-2", identity="k-2", firmware_version="2.0")
    campaign = plan(olga, add_image(olga), k1, k2)
    for address in (CAMPAIGNS, f"{CAMPAIGNS}{campaign.pk}/change/"):
        text = re.sub(r"\s+", " ", olgas.get(address).text)
        assert '<progress max="100" value="50"></progress> 1 / 2' in text
    text = re.sub(r"<[^>]+>|\s+", " ", olgas.get(f"{CAMPAIGNS}{campaign.pk}/change/").text)
    assert re.search(r"waits\s+1", text)
    assert re.search(r"skipped\s+1", text)


def test_a_campaign_is_paused_resumed_and_cancelled_with_a_reason(olgas, olga, k1):
    campaign = plan(olga, add_image(olga), k1)
    for name, status in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert errors_of(press(olgas, button(campaign, name))).keys() == {"reason"}
        press(olgas, button(campaign, name), reason="because")
        campaign.refresh_from_db()
        assert campaign.status == status
        assert LogEntry.objects.filter(user=olga, change_message=f"{status} · because").exists()
    assert "cannot do that any more" in press(olgas, button(campaign, "pause"), reason="?").text


def test_what_failed_is_retried_all_or_one(olgas, olga, k1):
    campaign = plan(olga, add_image(olga), k1)
    assert "Nothing of it has failed" in press(olgas, button(campaign, "retry"), reason="?").text
    for row in (campaign, update_of(k1)):
        beat()
        tell(k1, "DownloadFailed")
        press(olgas, button(row, "retry"), reason="new cable")
        assert update_of(k1).status == "queued"


def test_each_station_is_listed_with_what_it_told(olgas, olga, k1, django_assert_max_num_queries):
    image = add_image(olga)
    for number in range(2, 6):
        Station.objects.create(
            station_id=f"K-{number}", identity=f"k-{number}", vendor="Acme", model="One"
        )
    campaign = plan(olga, image, *Station.objects.all())
    beat()
    tell(k1, "Downloading")
    olgas.get(UPDATES)
    with django_assert_max_num_queries(12):
        text = olgas.get(f"{UPDATES}?campaign__id__exact={campaign.pk}").text
    assert "Downloading" in text
    assert FirmwareUpdate.objects.count() == 5
    assert "Downloading" in olgas.get(f"{UPDATES}{update_of(k1).pk}/change/").text


def test_the_page_of_a_station_shows_the_last_status(olgas, k1):
    tell(k1, "Downloading")
    address = reverse("admin:stations_station_change", args=[k1.pk])
    assert re.search(r"Downloading · \d{4}-\d\d-\d\d", olgas.get(address).text)


def test_who_may_only_look_sees_no_buttons(client, olga, k1):
    campaign = plan(olga, add_image(olga), k1)
    viewer = User.objects.create_user("viewer", password=PASSWORD, is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_firmwarecampaign"))
    client.force_login(viewer)
    page = client.get(f"{CAMPAIGNS}{campaign.pk}/change/")
    assert page.status_code == 200
    assert button(campaign, "cancel") not in page.text
    assert client.get(button(campaign, "cancel")).status_code == 403
