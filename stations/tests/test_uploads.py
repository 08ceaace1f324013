"""Logs and diagnostics: asked for, followed, handed in, and given to staff alone."""

import datetime as dt
import errno
import os

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from billing.tests.back_office import errors_of, press, told
from config.housekeeping import PURGES
from sessions_app.services import calls
from sessions_app.tests.stage import connect
from stations import addresses, registry, storage, uploads
from stations.errors import NoPublicAddress, StationOffline
from stations.gateway.v16 import facts
from stations.models import Command, LogRequest, ReceivedFile, Station
from stations.progress import Progress
from stations.tests.cast import break_rows, run_at_once
from stations.tests.maintenance import PUBLIC, body_of

pytestmark = pytest.mark.django_db
Kind, Status = LogRequest.Kind, LogRequest.Status
SECOND = dt.timedelta(seconds=1)


@pytest.fixture(autouse=True)
def place(settings, tmp_path):
    settings.CSMS_MEDIA_DIR = str(tmp_path / "media")
    settings.CSMS_PUBLIC_URL = PUBLIC
    return tmp_path / "media"


@pytest.fixture
def k1(station):
    return connect(station)


@pytest.fixture
def request_(k1, olga):
    return ask(k1, olga)


def ask(k1, olga, kind=Kind.DIAGNOSTICS, **span):
    return uploads.request_log(station=k1, kind=kind, by=olga, reason="it hangs", **span)


def path_of(request, name=""):
    return addresses.address("upload", request.pk, name).removeprefix(PUBLIC)


def put(request, body=b"log", name="log.zip", **more):
    return Client().put(path_of(request, name), body, content_type="application/zip", **more)


def state(request):
    request.refresh_from_db()
    return request.status, request.cause


def on_disk(place):
    return [path for path in place.rglob("*") if path.is_file()]


def say(station, *statuses, request_id=None, record=uploads.record_log):
    for status in statuses:
        record(station=station, said=Progress(status, timezone.now(), request_id))


def say_diagnostics(station, *statuses):
    say(station, *statuses, record=uploads.record_diagnostics)


# --- Asking --------------------------------------------------------------------------------------


def test_diagnostics_are_asked_for_in_the_words_of_the_specification(k1, olga):
    oldest, latest = (dt.datetime(2026, 11, day, tzinfo=dt.UTC) for day in (1, 2))
    request = ask(k1, olga, oldest=oldest, latest=latest)
    assert request.command.action == "GetDiagnostics"
    assert request.command.payload == {
        "location": f"{PUBLIC}{path_of(request)}",
        "retries": 3,
        "retryInterval": 60,
        "startTime": "2026-11-01T00:00:00.000Z",
        "stopTime": "2026-11-02T00:00:00.000Z",
    }
    assert (request.command.requested_by, request.command.reason) == (olga, "it hangs")


@pytest.mark.parametrize("kind", [Kind.DIAGNOSTICS_LOG, Kind.SECURITY_LOG])
def test_a_log_is_asked_for_by_its_number(k1, olga, kind):
    request = ask(k1, olga, kind, oldest=dt.datetime(2026, 11, 1, tzinfo=dt.UTC))
    assert request.command.action == "GetLog"
    assert request.command.payload == {
        "logType": kind.value,
        "requestId": request.pk,
        "retries": 3,
        "retryInterval": 60,
        "log": {
            "remoteLocation": f"{PUBLIC}{path_of(request)}",
            "oldestTimestamp": "2026-11-01T00:00:00.000Z",
        },
    }


def test_stations_that_know_ftp_only_are_sent_to_another_server(k1, olga, settings):
    settings.CSMS_UPLOAD_URL, settings.CSMS_PUBLIC_URL = "ftp://u:p@logs.example.org/in", ""
    request = ask(k1, olga)
    assert request.is_external
    assert request.command.payload["location"] == "ftp://u:p@logs.example.org/in"


def test_nothing_is_asked_without_an_address_or_of_a_station_that_is_away(k1, olga, settings):
    settings.CSMS_PUBLIC_URL = ""
    with pytest.raises(NoPublicAddress):
        ask(k1, olga)
    settings.CSMS_PUBLIC_URL = PUBLIC
    Station.objects.update(owner=None)
    with pytest.raises(StationOffline):
        ask(k1, olga)
    assert not LogRequest.objects.exists()
    assert not Command.objects.exists()


# --- Answers and statuses ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [
        (Kind.DIAGNOSTICS, {"fileName": "d.zip"}, ("accepted", "")),
        (Kind.DIAGNOSTICS, {}, ("failed", "nothing_there")),
        (Kind.SECURITY_LOG, {"status": "Accepted", "filename": "s.log"}, ("accepted", "")),
        (Kind.SECURITY_LOG, {"status": "Accepted"}, ("accepted", "")),
        (Kind.SECURITY_LOG, {"status": "AcceptedCanceled"}, ("accepted", "")),
        (Kind.SECURITY_LOG, {"status": "Rejected"}, ("failed", "rejected")),
    ],
)
def test_an_answer_moves_the_request(k1, olga, kind, answer, expected):
    request = ask(k1, olga, kind)
    calls.record_answer(request.command.pk, answer)
    assert state(request) == expected
    assert request.file_name == answer.get("fileName", answer.get("filename", ""))


@pytest.mark.parametrize("code", ["NotSupported", "NotImplemented", "disconnected"])
def test_a_refusal_ends_the_request(request_, code):
    calls.record_refusal(request_.command.pk, code, "")
    assert state(request_) == ("failed", code)


def test_no_answer_and_a_lost_socket_end_the_request(k1, olga):
    silent, lost = ask(k1, olga), ask(k1, olga)
    calls.record_silence(silent.command.pk)
    calls.cut_off(station_pk=k1.pk, fence=k1.fence + 1)
    assert [state(row) for row in (silent, lost)] == [
        ("failed", "timeout"),
        ("failed", "disconnected"),
    ]


def test_diagnostics_are_followed_to_their_end(k1, request_):
    calls.record_answer(request_.command.pk, {"fileName": "d.zip"})
    say_diagnostics(k1, "Uploading")
    assert state(request_)[0] == "uploading"
    say_diagnostics(k1, "Uploaded", "Uploaded")
    assert state(request_)[0] == "uploaded"
    say_diagnostics(k1, "Uploading", "UploadFailed", "Idle")
    assert state(request_) == ("uploaded", "")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Uploading", ("uploading", "")),
        ("Uploaded", ("uploaded", "")),
        ("UploadFailure", ("failed", "upload_failed")),
        ("BadMessage", ("failed", "bad_message")),
        ("PermissionDenied", ("failed", "permission_denied")),
        ("NotSupportedOperation", ("failed", "not_supported_operation")),
        ("Idle", ("asked", "")),
        ("Nonsense", ("asked", "")),
    ],
)
def test_each_status_of_a_log_leads_somewhere(k1, olga, status, expected):
    request = ask(k1, olga, Kind.SECURITY_LOG)
    say(k1, status, request_id=request.pk)
    assert state(request) == expected


def test_diagnostics_that_could_not_be_uploaded_have_failed(k1, request_):
    say_diagnostics(k1, "Uploading", "UploadFailed")
    assert state(request_) == ("failed", "upload_failed")
    calls.record_answer(request_.command.pk, {"fileName": "d.zip"})
    assert state(request_) == ("failed", "upload_failed"), "the answer came last"
    say_diagnostics(k1, "Uploading", "Uploaded")
    assert state(request_) == ("uploaded", ""), "it tried again"


@pytest.mark.parametrize("status", [*uploads.STEPS, "Idle"])
def test_a_status_that_nobody_asked_for_moves_nothing(k1, olga, status):
    say_diagnostics(k1, status)
    say(k1, status)
    log = ask(k1, olga, Kind.SECURITY_LOG)
    say(k1, status, request_id=log.pk + 1)
    say_diagnostics(k1, status)
    assert state(log) == ("asked", "")


def test_a_number_that_cannot_be_read_is_nobodys(k1, olga):
    request = ask(k1, olga, Kind.SECURITY_LOG)
    for number in (10**30, "x", [1]):
        said = facts.progress({"status": "Uploaded", "requestId": number}, timezone.now())
        uploads.record_log(station=k1, said=said)
    assert state(request) == ("asked", "")


def test_a_status_with_the_number_of_anothers_request_moves_nothing(k1, olga):
    other = connect(Station.objects.create(station_id="K-2", identity="k-2"))
    request = ask(k1, olga, Kind.SECURITY_LOG)
    say(other, "Uploaded", request_id=request.pk)
    assert state(request) == ("asked", "")


def test_silence_ends_a_request(request_):
    due_at = request_.due_at
    uploads.run_due(due_at - SECOND)
    assert state(request_)[0] == "asked"
    assert uploads.run_due(due_at) == 1
    assert state(request_) == ("timed_out", "silent")


def test_a_file_that_came_counts_although_the_station_never_said_so(request_):
    assert put(request_).status_code == 201
    request_.refresh_from_db()
    uploads.run_due(request_.due_at)
    assert state(request_) == ("uploaded", "")


# --- Handing in ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["put", "post"])
@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("", "log"),
        ("log.zip", "log.zip"),
        ("a/b/log.zip", "log.zip"),
        ("log.zip/", "log.zip"),
        ("..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("..%5C..%5Cboot.ini", "boot.ini"),
        ("..", ".."),
        ("a%01b%00.log", "a_b_.log"),
        ("x" * 400, "x" * 255),
        ("%D0%B6%D1%83%D1%80%D0%BD%D0%B0%D0%BB.txt", "журнал.txt"),
    ],
)
def test_a_file_is_kept_under_a_name_of_ours(request_, place, method, name, kept):
    send = getattr(Client(), method)
    answer = send(path_of(request_, name), b"\x00\xff log", content_type="application/zip")
    assert answer.status_code == 201
    file = ReceivedFile.objects.get()
    assert (file.name, file.size_bytes) == (kept, 6)
    assert on_disk(place) == [storage.locate(file.path)]
    assert storage.locate(file.path).parent == place / "uploads"
    assert storage.locate(file.path).read_bytes() == b"\x00\xff log"
    assert state(request_)[0] == "uploading"
    assert not answer.cookies


def test_a_form_may_bring_several_files(request_, place):
    files = [SimpleUploadedFile(name, b"log") for name in ("a.log", "b.log")]
    answer = Client().post(path_of(request_), {"file": files[0], "more": files[1]})
    assert answer.status_code == 201
    assert sorted(row.name for row in ReceivedFile.objects.all()) == ["a.log", "b.log"]
    assert Client().post(path_of(request_), {"note": "no file"}).status_code == 400
    assert len(on_disk(place)) == 2


@pytest.mark.parametrize("token", ["1", "x", "1.abc", "0.", ".", "1.", "%00", "999999999999.x"])
def test_a_guessed_address_takes_nothing(request_, token, place):
    answer = Client().put(f"/upload/{token}/log.zip", b"x")
    assert answer.status_code == 404
    assert on_disk(place) == []


def test_an_address_of_another_kind_or_with_another_number_takes_nothing(request_, place):
    token = addresses.address("firmware", request_.pk).split("/")[-2]
    mac = addresses.address("upload", request_.pk).split("/")[-2].partition(".")[2]
    for wrong in (token, f"{request_.pk + 1}.{mac}"):
        assert Client().put(f"/upload/{wrong}/x", b"x").status_code == 404
    assert on_disk(place) == []


def test_an_address_is_good_for_a_time(request_, place):
    LogRequest.objects.update(expires_at=timezone.now())
    assert put(request_).status_code == 404
    assert on_disk(place) == []


def test_an_address_ends_with_its_request(request_):
    path = path_of(request_)
    request_.delete()
    assert Client().put(path, b"x").status_code == 404


def test_a_file_that_is_too_large_is_refused_and_not_kept(request_, place, settings):
    settings.CSMS_UPLOAD_MAX_MB = 1
    answer = put(request_, b"x" * 1_000_001)
    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")
    assert put(request_, b"x" * 2_000_000).status_code == 413
    assert on_disk(place) == []
    assert put(request_, b"x" * 1_000_000).status_code == 201


def test_so_many_files_and_no_more(request_, place, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_FILES", 2)
    answers = [put(request_).status_code for _ in range(3)]
    assert answers == [201, 201, 409]
    assert len(on_disk(place)) == 2


def test_a_full_disk_is_told_and_leaves_nothing(request_, place, monkeypatch):
    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = put(request_)
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_failed")
    assert on_disk(place) == []
    assert not ReceivedFile.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_uploads_at_once_are_both_kept(request_, place):
    run_at_once(*(lambda n=n: put(request_, b"x" * n, "same.zip") for n in (100_000, 200_000)))
    files = ReceivedFile.objects.order_by("size_bytes")
    assert [row.size_bytes for row in files] == [100_000, 200_000]
    assert [storage.locate(row.path).stat().st_size for row in files] == [100_000, 200_000]
    assert len(on_disk(place)) == 2


@pytest.mark.django_db(transaction=True)
def test_uploads_at_once_do_not_pass_the_number(request_, place, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_FILES", 1)
    run_at_once(*(lambda: put(request_) for _ in range(3)))
    assert ReceivedFile.objects.count() == 1
    assert len(on_disk(place)) == 1


# --- Throwing away -------------------------------------------------------------------------------


def purge(name, at):
    return next(job for job in PURGES if job.name == name).run(at)


def test_a_file_goes_with_its_row_and_its_request_after_it(request_, place, settings):
    put(request_)
    at = timezone.now() + dt.timedelta(days=settings.CSMS_UPLOAD_RETENTION_DAYS)
    assert (purge("old log requests", at), purge("received files", at - 60 * SECOND)) == (0, 0)
    assert len(on_disk(place)) == 1
    assert purge("received files", at) == 1
    assert on_disk(place) == []
    assert purge("old log requests", at) == 1


@pytest.mark.django_db(transaction=True)
def test_the_files_of_a_station_go_with_it(request_, place, olga):
    put(request_)
    registry.remove_station(station_id="K-1", by=olga, reason="a mistake")
    assert on_disk(place) == []


# --- The back office -----------------------------------------------------------------------------


def button(station, name):
    return f"/admin/stations/station/{station.pk}/{name}/"


def test_staff_ask_for_diagnostics_with_a_reason(olgas, olga, k1):
    assert errors_of(press(olgas, button(k1, "ask_diagnostics"))).keys() == {"reason"}
    answer = press(olgas, button(k1, "ask_diagnostics"), reason="it hangs")
    request = LogRequest.objects.get()
    assert told(answer)[0].startswith("The station is asked:")
    assert (request.kind, request.requested_by, request.reason) == (
        "diagnostics",
        olga,
        "it hangs",
    )


def test_staff_ask_for_a_log_of_a_time(olgas, k1):
    times = {"oldest_0": "2026-11-02", "oldest_1": "00:00:00"}
    ends = {"latest_0": "2026-11-01", "latest_1": "00:00:00"}
    where = button(k1, "ask_log")
    answer = press(olgas, where, kind="SecurityLog", reason="?", **times, **ends)
    assert errors_of(answer).keys() == {"latest"}
    press(olgas, where, kind="SecurityLog", reason="?", **times)
    request = LogRequest.objects.get()
    assert (request.kind, request.latest) == ("SecurityLog", None)
    assert request.command.payload["log"]["oldestTimestamp"] == "2026-11-02T00:00:00.000Z"


def test_without_an_address_staff_are_told_why(olgas, k1, settings):
    settings.CSMS_PUBLIC_URL = ""
    answer = press(olgas, button(k1, "ask_diagnostics"), reason="?")
    assert "CSMS_PUBLIC_URL is not set" in answer.text
    assert not LogRequest.objects.exists()


def test_a_received_file_is_only_ever_an_attachment(olgas, request_):
    put(request_, b"<script>alert(1)</script>", "x%22;.html")
    file = ReceivedFile.objects.get()
    assert (
        f"/admin/stations/receivedfile/{file.pk}/download/"
        in olgas.get(f"/admin/stations/logrequest/{request_.pk}/change/").text
    )
    answer = olgas.get(f"/admin/stations/receivedfile/{file.pk}/download/")
    assert body_of(answer) == b"<script>alert(1)</script>"
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == "attachment; filename*=UTF-8''x%22%3B.html"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_received_file_is_for_staff_who_may_see_it(client, alice, request_):
    put(request_)
    address = f"/admin/stations/receivedfile/{ReceivedFile.objects.get().pk}/download/"
    assert client.get(address).status_code == 302
    alice.is_staff = True
    alice.save(update_fields=["is_staff"])
    client.force_login(alice)
    assert client.get(address).status_code == 403


def test_a_file_that_is_gone_from_the_disk_is_not_found(olgas, request_):
    put(request_)
    file = ReceivedFile.objects.get()
    storage.remove(file.path)
    assert olgas.get(f"/admin/stations/receivedfile/{file.pk}/download/").status_code == 404
    assert olgas.get("/admin/stations/receivedfile/99999/download/").status_code == 404


def test_a_request_that_cannot_be_ended_keeps_no_other_waiting(k1, olga):
    first, second = ask(k1, olga), ask(k1, olga, Kind.SECURITY_LOG)
    break_rows(LogRequest, id=first.pk)
    uploads.run_due(second.due_at)
    assert state(first) == (Status.ASKED, "")
    assert state(second) == (Status.TIMED_OUT, uploads.SILENT)
