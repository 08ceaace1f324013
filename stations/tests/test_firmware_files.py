"""Where stations fetch firmware: whole, in ranges, by HEAD, for one station and a time."""

import pytest
from django.test import Client
from django.utils import timezone

from sessions_app.tests.stage import connect
from stations import addresses, storage
from stations.models import FirmwareUpdate
from stations.tests.maintenance import BYTES, PUBLIC, add_image, beat, body_of, boot, plan

pytestmark = pytest.mark.django_db
SIZE = len(BYTES)


@pytest.fixture(autouse=True)
def place(settings, tmp_path):
    settings.CSMS_MEDIA_DIR = str(tmp_path)
    settings.CSMS_PUBLIC_URL = PUBLIC
    settings.CSMS_PROVISION = False


@pytest.fixture
def path(station, olga):
    """The address that a station was given, without its host."""
    boot(station, "1.0")
    plan(olga, add_image(olga), connect(station))
    beat()
    return addresses.address("firmware", FirmwareUpdate.objects.get().pk, "fw.bin")[len(PUBLIC) :]


def fetch(path, **headers):
    return Client().get(path, headers={name.replace("_", "-"): h for name, h in headers.items()})


def test_the_file_is_given_whole_and_without_a_cookie(path):
    answer = fetch(path)
    assert (answer.status_code, answer["Content-Length"]) == (200, str(SIZE))
    assert body_of(answer) == BYTES
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["Content-Type"] == "application/octet-stream"
    assert not answer.cookies


def test_head_tells_the_size_and_nothing_else(path):
    answer = Client().head(path)
    assert (answer.status_code, answer["Content-Length"], answer.content) == (200, str(SIZE), b"")


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=100-", 100, SIZE),
        ("bytes=-10", SIZE - 10, SIZE),
        (f"bytes=10-{SIZE + 99}", 10, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("bytes=0-0", 0, 1),
    ],
)
def test_a_download_goes_on_where_it_was_cut_off(path, asked, first, end):
    answer = fetch(path, range=asked)
    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes {first}-{end - 1}/{SIZE}"
    assert answer["Content-Length"] == str(end - first)
    assert body_of(answer) == BYTES[first:end]


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
def test_a_range_past_the_end_is_refused(path, asked):
    answer = fetch(path, range=asked)
    assert (answer.status_code, answer["Content-Range"]) == (416, f"bytes */{SIZE}")


@pytest.mark.parametrize(
    "asked",
    [
        *("", "bytes=", "bytes=-", "items=0-9", "bytes=9-0", "bytes=0-1,5-6", "bytes=a-b"),
        *("bytes=0-²", f"bytes=0-{'9' * 5000}"),
    ],
)
def test_what_is_no_range_is_answered_whole(path, asked):
    answer = fetch(path, range=asked)
    assert (answer.status_code, answer["Content-Length"]) == (200, str(SIZE))


def test_a_range_of_another_file_is_answered_whole(path):
    etag = fetch(path)["ETag"]
    assert fetch(path, range="bytes=0-9", if_range=etag).status_code == 206
    assert fetch(path, range="bytes=0-9", if_range='"other"').status_code == 200


def test_the_name_at_the_end_says_nothing(path):
    stem = path.removesuffix("/fw.bin")
    for name in ("", "/", "/other.bin", "/..%2F..%2Fetc%2Fpasswd", "/a/b/c"):
        assert body_of(fetch(stem + name)) == BYTES


@pytest.mark.parametrize("token", ["1", "1.x", "x.y", "%00", ".", "1.é"])
def test_a_guessed_address_gives_nothing(path, token):
    assert fetch(f"/firmware/{token}/fw.bin").status_code == 404


def test_the_address_of_an_upload_gives_nothing(path):
    number = FirmwareUpdate.objects.get().pk
    other = addresses.address("upload", number)[len(PUBLIC) :].replace("upload", "firmware")
    assert fetch(other).status_code == 404


def test_an_address_ends(path):
    FirmwareUpdate.objects.update(expires_at=timezone.now())
    assert fetch(path).status_code == 404


def test_a_station_that_was_not_asked_has_no_address(path):
    FirmwareUpdate.objects.update(expires_at=None)
    assert fetch(path).status_code == 404


def test_a_file_that_is_gone_is_not_found(path):
    storage.remove(FirmwareUpdate.objects.get().campaign.image.path)
    assert fetch(path).status_code == 404
