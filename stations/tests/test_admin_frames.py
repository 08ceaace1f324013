"""The diary in the back office: searched within bounds, followed live, and taken away."""

import csv
import datetime as dt
import io
import json
import re
import uuid

import pytest
from asgiref.sync import sync_to_async
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing.models import User
from billing.tests.back_office import told
from conftest import PASSWORD
from sessions_app.frames import frames_of
from sessions_app.models import ChargingSession, IdTag
from sessions_app.services.holds import Limit
from sessions_app.services.start import request_start
from sessions_app.tests.stage import Stage
from stations.admin import frame_download
from stations.models import Frame, Station

FRAMES = reverse("admin:stations_frame_changelist")
DOWNLOAD = reverse("admin:stations_frame_download")
pytestmark = pytest.mark.django_db
HOUR, DAY, SECOND = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(seconds=1)
AT = "2026-11-24T06:00:00Z"


def note(station, text="[]", *, age=DAY / 2, **more):
    at = timezone.now() - age
    return Frame.objects.create(station=station, direction="in", text=text, at=at, **more)


@pytest.fixture
def clerk(db):
    return User.objects.create_user("clerk", password=PASSWORD, is_staff=True)


def found(client, **query):
    answer = client.get(FRAMES, query)
    assert answer.status_code == 200
    return [frame.text for frame in answer.context["cl"].result_list]


def live(station):
    return reverse("admin:stations_frame_live", args=[station.pk])


# --- Searching --------------------------------------------------------------------------------


def test_the_list_tells_frames_of_one_second_apart(olgas, station):
    at = timezone.localtime(note(station).at)
    assert f"{at:%Y-%m-%d %H:%M:%S.%f}"[:-3] in olgas.get(FRAMES).text


def test_a_search_reads_one_day_and_says_so(olgas, station):
    note(station, "needle 1", age=HOUR)
    note(station, "needle 2", age=2 * DAY)
    assert found(olgas, q="needle") == ["needle 1"]
    (text,) = told(olgas.get(FRAMES, {"q": "needle"}))
    assert re.fullmatch(r"Searched from 20\S+ \S+ to 20\S+ \S+\.", text)
    assert not told(olgas.get(FRAMES))


def test_a_search_at_one_station_reads_a_week(olgas, station):
    other = Station.objects.create(station_id="K-2", identity="k-2")
    for age in (1, 2, 8):
        note(station, f"needle {age}", age=age * DAY)
    note(other, "needle elsewhere", age=2 * DAY)
    texts = found(olgas, q="needle", station__id__exact=station.pk)
    assert texts == ["needle 1", "needle 2"]


@pytest.mark.parametrize(("until", "texts"), [(None, ["needle 30"]), (20, ["needle 30"]), (40, [])])
def test_a_search_from_a_moment_reads_on_from_there(olgas, station, until, texts):
    for age in (1, 28, 30, 32):
        note(station, f"needle {age}", age=age * DAY)
    begin = timezone.now() - 30.5 * DAY
    query = {"q": "needle", "at_from_0": f"{begin:%Y-%m-%d}", "at_from_1": f"{begin:%H:%M}"}
    if until:
        query |= {"at_to_0": f"{timezone.now() - until * DAY:%Y-%m-%d}", "at_to_1": ""}
    assert found(olgas, **query) == texts


@pytest.mark.parametrize("query", [{"q": "needle"}, {"action__icontains": "Boot"}])
def test_no_search_scans_the_whole_diary(olgas, station, query):
    with CaptureQueriesContext(connection) as queries:
        olgas.get(FRAMES, query)
    asked = [row["sql"] for row in queries if 'FROM "stations_frame"' in row["sql"]]
    assert len(asked) == 1
    assert '"stations_frame"."at" >= ' in asked[0]
    assert '"stations_frame"."at" < ' in asked[0]


def test_a_message_id_finds_the_call_and_its_answer(olgas, station):
    for text in ('[2,"abc","Heartbeat",{}]', '[3,"abc",{}]', '[3,"abd",{}]'):
        note(station, text)
    assert len(found(olgas, q='"abc"')) == 2


# --- A session --------------------------------------------------------------------------------


async def charge_at_both(plug_in, gateway):
    """Two charges by one card at two connectors, message by message in turn."""
    await IdTag.objects.acreate(id_tag="CARD1", identity="card1")
    station = await plug_in()
    ids = {}
    for number in (1, 2):
        start = {"connectorId": number, "idTag": "CARD1", "meterStart": 0, "timestamp": AT}
        ids[number] = (await station.call("StartTransaction", start))["transactionId"]
    for number in (1, 2):
        value = {"timestamp": "2026-11-24T06:01:00Z", "sampledValue": [{"value": "100"}]}
        said = {"connectorId": number, "meterValue": [value]}
        await station.call("MeterValues", said | ({"transactionId": ids[1]} if number == 1 else {}))
    for number in (2, 1):
        stop = {"transactionId": ids[number], "meterStop": 200, "timestamp": "2026-11-24T06:02:00Z"}
        await station.call("StopTransaction", stop)
    await station.call("Heartbeat", {})
    await station.close()
    await gateway.stop()
    return ids


async def test_a_session_has_its_own_frames_beside_another(plug_in, gateway, k1):
    ids = await charge_at_both(plug_in, gateway)
    for number, transaction_id in ids.items():
        session = await ChargingSession.objects.aget(transaction_id=transaction_id)
        frames = await sync_to_async(frames_of)(session, limit=100)
        assert [(frame.action, frame.direction) for frame in frames] == [
            ("StartTransaction", "in"),
            ("StartTransaction", "out"),
            ("MeterValues", "in"),
            ("MeterValues", "out"),
            ("StopTransaction", "in"),
            ("StopTransaction", "out"),
        ]
        start = json.loads(frames[0].text)[3]
        assert start["connectorId"] == number
        assert frames == sorted(frames, key=lambda frame: frame.at)
        assert json.loads(frames[1].text)[2]["transactionId"] == transaction_id


async def test_a_session_that_an_app_started_has_the_calls_to_the_station(
    plug_in, gateway, k1, alice
):
    station = await plug_in()
    await station.boot()
    session = await sync_to_async(request_start)(
        driver=alice,
        station_id="K-1",
        connector_id=1,
        limit=Limit(ChargingSession.LimitType.FULL),
        actor=alice,
    )
    asked = await station.expect_call("RemoteStartTransaction")
    await station.call("Authorize", {"idTag": asked["idTag"]})
    at = timezone.now().isoformat().replace("+00:00", "Z")
    start = {"connectorId": 1, "idTag": asked["idTag"], "meterStart": 0, "timestamp": at}
    await station.call("StartTransaction", start)
    await station.close()
    await gateway.stop()
    await session.arefresh_from_db()
    frames = await sync_to_async(frames_of)(session, limit=100)
    assert [(frame.action, frame.direction) for frame in frames] == [
        ("RemoteStartTransaction", "out"),
        ("RemoteStartTransaction", "in"),
        ("Authorize", "in"),
        ("Authorize", "out"),
        ("StartTransaction", "in"),
        ("StartTransaction", "out"),
    ]


@pytest.fixture
def session(station, alice):
    """A charge whose frames are written as the gateway writes them."""
    row = Stage(station).charge(alice)
    payload = {"connectorId": 1, "transactionId": row.transaction_id}
    for age in (300, 10):
        text = json.dumps([2, f"{age}", "MeterValues", payload])
        note(row.station, text, age=age * SECOND, action="MeterValues", message_id=f"{age}")
    ChargingSession.objects.filter(pk=row.pk).update(requested_at=timezone.now() - HOUR)
    row.readings.update(received_at=timezone.now() - HOUR)
    note(row.station, '[2,"h","Heartbeat",{}]', age=20 * SECOND, action="Heartbeat")
    return row


def test_the_page_of_a_session_shows_its_frames_and_the_gaps(olgas, session):
    page = olgas.get(reverse("admin:sessions_app_chargingsession_change", args=[session.pk])).text
    assert page.count(f"&quot;transactionId&quot;: {session.transaction_id}") == 2
    assert "290 s without a frame" in page
    assert "Heartbeat" not in page


def test_frames_are_not_read_for_those_who_may_not_see_them(client, clerk, session):
    clerk.user_permissions.add(Permission.objects.get(codename="view_chargingsession"))
    client.force_login(clerk)
    address = reverse("admin:sessions_app_chargingsession_change", args=[session.pk])
    with CaptureQueriesContext(connection) as queries:
        page = client.get(address)
    assert page.status_code == 200
    assert "transactionId" not in page.text
    assert not [row for row in queries if "stations_frame" in row["sql"]]


def test_the_list_takes_the_id_of_a_session(olgas, session):
    assert len(found(olgas, q=str(session.pk))) == 2
    assert found(olgas, q=str(uuid.uuid4())) == []


# --- Live -------------------------------------------------------------------------------------


def cursor_in(text):
    return re.search(r'hx-get="([^"]*/live/[^"]+)"', text).group(1).replace("&amp;", "&")


def test_a_station_is_followed(olgas, station):
    note(station, "old", age=2 * SECOND)
    first = olgas.get(live(station))
    assert "old" in first.text
    assert "<noscript>" in first.text
    assert re.search(r"<h1[^>]*>Live: K-1</h1>", first.text)
    note(station, "<b>new</b>", age=1.6 * SECOND)
    second = olgas.get(cursor_in(first.text), headers={"HX-Request": "true"}).text
    assert "&lt;b&gt;new&lt;/b&gt;" in second
    assert "old" not in second
    assert "<html" not in second
    third = olgas.get(cursor_in(second), headers={"HX-Request": "true"}).text
    assert "new" not in third
    assert cursor_in(third) == cursor_in(second), "it asks on from where it was"


def test_frames_of_one_moment_are_each_shown_once(olgas, station, monkeypatch):
    monkeypatch.setattr("stations.admin.frame_live.AT_ONCE", 2)
    at = timezone.now() - HOUR
    for number in range(5):
        Frame.objects.create(station=station, direction="in", text=f"n{number}", at=at)
    address = (
        f"{live(station)}?after={(at - SECOND).isoformat().replace('+', '%2B')}|{uuid.UUID(int=0)}"
    )
    texts = []
    for _ in range(4):
        page = olgas.get(address, headers={"HX-Request": "true"}).text
        texts += re.findall(r">(n\d)<", page)
        address = cursor_in(page)
    assert sorted(texts) == ["n0", "n1", "n2", "n3", "n4"]


def test_what_may_yet_be_overtaken_waits(olgas, station):
    note(station, "too young", age=0 * SECOND)
    assert "too young" not in olgas.get(live(station)).text


def test_another_stations_traffic_is_not_shown(olgas, station):
    other = Station.objects.create(station_id="K-2", identity="k-2")
    note(other, "theirs", age=5 * SECOND)
    assert "theirs" not in olgas.get(live(station)).text
    assert olgas.get(reverse("admin:stations_frame_live", args=[99_999])).status_code == 404


@pytest.mark.parametrize("after", ["x", "|", "2026-01-01|x", "2026-01-01T00:00:00|" + "0" * 32])
def test_a_cursor_that_is_none_begins_anew(olgas, station, after):
    note(station, "old", age=5 * SECOND)
    assert "old" in olgas.get(live(station), {"after": after}).text


def test_live_and_download_are_for_those_who_may_see_frames(client, clerk, alice, station):
    client.force_login(clerk)
    assert client.get(live(station)).status_code == 403
    assert client.get(DOWNLOAD).status_code == 403
    client.force_login(alice)
    assert client.get(live(station)).status_code == 302
    assert client.post(DOWNLOAD, {}).status_code == 302
    clerk.user_permissions.add(Permission.objects.get(codename="view_frame"))
    client.force_login(clerk)
    assert client.get(live(station)).status_code == 200
    assert client.get(DOWNLOAD, {"station": station.pk}).status_code == 200


def test_the_page_of_a_station_leads_to_its_traffic(olgas, station):
    page = olgas.get(reverse("admin:stations_station_change", args=[station.pk])).text
    assert live(station) in page


# --- Download ---------------------------------------------------------------------------------


def order(station):
    now = timezone.now()
    return {
        "station": station.pk,
        "begin": f"{now - DAY:%Y-%m-%d %H:%M:%S}",
        "end": f"{now + DAY:%Y-%m-%d %H:%M:%S}",
        "kind": "ndjson",
        "page": str(uuid.uuid4()),
        "reason": "a complaint",
    }


async def take(user, at, /, **values):
    """Post the form as a browser would; return the answer and what was streamed."""
    client = AsyncClient()
    await client.aforce_login(user)
    answer = await client.post(DOWNLOAD, order(at) | values)
    assert answer.status_code == 200
    if not answer.streaming:
        return answer, ""
    return answer, b"".join([part async for part in answer.streaming_content]).decode()


async def test_frames_are_taken_away_in_portions_and_it_is_on_record(k1, olga, monkeypatch):
    monkeypatch.setattr(frame_download, "PORTION", 3)
    at = timezone.now() - HOUR
    for number in range(8):
        await Frame.objects.acreate(
            station=k1, direction="in", action="X", message_id="m", text=f"n{number}", at=at
        )
    other = await Station.objects.acreate(station_id="K-2", identity="k-2")
    await Frame.objects.acreate(station=other, direction="in", text="theirs")
    await Frame.objects.acreate(station=k1, direction="in", text="old", at=at - 2 * DAY)
    answer, text = await take(olga, k1)
    assert answer["Content-Type"] == "application/x-ndjson"
    assert answer["Content-Disposition"].startswith('attachment; filename="frames-')
    lines = [json.loads(line) for line in text.splitlines()]
    assert sorted(line["text"] for line in lines) == [f"n{number}" for number in range(8)]
    assert lines[0] | {"text": ""} == {
        "at": at.isoformat(),
        "station_id": "K-1",
        "direction": "in",
        "action": "X",
        "message_id": "m",
        "text": "",
    }
    entry = await LogEntry.objects.select_related("user").aget()
    assert entry.user == olga
    assert entry.change_message.startswith("frames downloaded: ")
    assert entry.change_message.endswith("a complaint")


async def test_as_csv_and_no_cell_is_a_formula(k1, olga):
    await Frame.objects.acreate(station=k1, direction="in", text='=1+1,"x"\n', action="@a")
    _answer, text = await take(olga, k1, kind="csv")
    heading, row = list(csv.reader(io.StringIO(text)))
    assert heading == ["at", "station_id", "direction", "action", "message_id", "text"]
    assert row[3:] == ["'@a", "", '\'=1+1,"x"\n']


async def test_nothing_is_an_empty_file(k1, olga):
    assert (await take(olga, k1))[1] == ""


@pytest.mark.parametrize(
    ("values", "texts"),
    [({"action": "boot"}, ["a"]), ({"text": "B"}, ["b"]), ({"action": "x"}, [])],
)
async def test_a_download_is_narrowed(k1, olga, values, texts):
    await Frame.objects.acreate(station=k1, direction="in", action="Boot", text="a")
    await Frame.objects.acreate(station=k1, direction="in", action="Reset", text="b")
    lines = (await take(olga, k1, **values))[1].splitlines()
    assert [json.loads(line)["text"] for line in lines] == texts


async def test_the_frames_of_a_session_are_taken_away(plug_in, gateway, k1, olga):
    ids = await charge_at_both(plug_in, gateway)
    session = await ChargingSession.objects.aget(transaction_id=ids[2])
    lines = (await take(olga, k1, session=str(session.pk)))[1].splitlines()
    assert len(lines) == 6


@pytest.mark.parametrize(
    "values",
    [
        {"station": ""},
        {"station": "999999"},
        {"begin": ""},
        {"end": "never"},
        {"end": "2020-01-01 00:00"},
        {"kind": "exe"},
        {"session": "x"},
        {"session": str(uuid.uuid4())},
        {"reason": ""},
    ],
)
async def test_a_download_that_cannot_be_is_refused(k1, olga, values):
    answer, _text = await take(olga, k1, **values)
    assert not answer.streaming
    assert not await LogEntry.objects.aexists()


async def test_a_session_of_another_station_is_refused(k1, alice, olga):
    other = await Station.objects.acreate(station_id="K-2", identity="k-2")
    session = await ChargingSession.objects.acreate(
        user=alice, station=other, origin="remote", limit_type="full", currency="KGS"
    )
    answer, _text = await take(olga, k1, session=str(session.pk))
    assert not answer.streaming
