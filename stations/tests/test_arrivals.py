"""Thousands of handshakes and leavings at once: the same as one by one, only together."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from sessions_app.facts import Started
from sessions_app.models import IdTag
from sessions_app.services import calls
from sessions_app.services.begin import begin
from stations import alerts, commands, doorbell, keys, presence
from stations.gateway import arrivals, handshake, process
from stations.gateway.handshake import Handshake, Refused
from stations.models import Alert, Command, GatewayProcess, PendingKey, Station
from stations.tests.cast import held
from stations.tests.in_process import Denied
from stations.tests.paper import make_root

KEY, OTHER_KEY = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def here(db):
    return GatewayProcess.objects.create(channel="gateway.here", host="test").pk


@pytest.fixture
def there(db):
    return GatewayProcess.objects.create(channel="gateway.there", host="test").pk


@pytest.fixture
def bells():
    """What the other process is told."""
    heard = []
    doorbell.answer_at("gateway.there", heard.append)
    yield heard
    doorbell.leave("gateway.there")


def add(name, **columns):
    columns = {"security_profile": 1, "key_digest": keys.digest(KEY), **columns}
    return Station.objects.create(station_id=name, identity=name.casefold(), **columns)


def ask(name, key=KEY, offered=("ocpp1.6",), **more):
    return Handshake(name, offered, name, key.encode(), **more)


def add_with_pending_key(name):
    PendingKey.objects.create(station=add(name), digest=keys.digest(OTHER_KEY))


def add_with_refusals(name):
    station = add(name)
    alerts.open_alert("wrong_key", str(station.pk), "It came without its key.", station=station)


def add_with_commands(name):
    """One was sent over the socket before, one is bound to it, one may go over any."""
    station = add(name, fence=3)
    call = {"station": station, "action": "Reset", "payload": {}, "lane": Command.Lane.ASKED}
    sent = commands.send(**call)
    commands.mark_sent(sent, 3)
    commands.send(**call, is_bound=True)
    commands.send(**call)


def add_booted(name):
    add(name, booted_at=timezone.now(), fence=7)


CASES = {
    "plain": (add, [ask]),
    "booted": (add_booted, [ask]),
    "other case": (add, [lambda name: ask(name.upper())]),
    "twice": (add, [ask, ask]),
    "wrong key, then right": (add, [lambda name: ask(name, OTHER_KEY), ask]),
    "no key": (add, [lambda name: ask(name, "")]),
    "another's user": (add, [lambda name: Handshake(name, ("ocpp1.6",), "K-9", KEY.encode())]),
    "unknown": (lambda name: None, [ask]),
    "open to all": (lambda name: add(name, security_profile=0, key_digest=""), [ask]),
    "not for sale": (lambda name: add(name, enabled=False), [ask]),
    "waits for approval": (
        lambda name: add(name, registration="Pending", security_profile=0, key_digest=""),
        [lambda name: ask(name, "")],
    ),
    "rejected": (lambda name: add(name, registration="Rejected"), [ask]),
    "nothing in common": (add, [lambda name: ask(name, offered=())]),
    "lenient": (lambda name: add(name, is_lenient=True), [lambda name: ask(name, offered=())]),
    "rising profile": (add, [lambda name: ask(name, is_secure=True)]),
    "downgrade": (lambda name: add(name, security_profile=2), [ask]),
    "key on its way": (add_with_pending_key, [lambda name: ask(name, OTHER_KEY)]),
    "refused before": (add_with_refusals, [ask]),
    "calls left behind": (add_with_commands, [ask]),
}


def verdict_alone(asked, here):
    try:
        return handshake.admit(asked, here)
    except Refused as refused:
        return refused


def admit_together(asked, here):
    """As the gateway does: together, and alone who must be."""
    judged = zip(asked, arrivals.admit_all(asked, here), strict=True)
    return [settle(one, verdict, here) for one, verdict in judged]


def settle(asked, verdict, here):
    if isinstance(verdict, Refused):
        return verdict
    if verdict.admission is None:
        return verdict_alone(asked, here)
    if verdict.has_left_calls:
        station_pk, fence = verdict.admission.station_pk, verdict.admission.fence
        calls.cut_off(station_pk=station_pk, fence=fence)
    return verdict.admission


def told(verdict):
    """A verdict in comparable words."""
    if isinstance(verdict, Refused):
        return verdict.status, verdict.cause, bool(verdict.station_pk)
    return (
        verdict.fence,
        verdict.subprotocol,
        verdict.answered,
        verdict.is_lenient,
        verdict.was_accepted,
    )


def rows(prefix):
    """What the database says of the stations of one side, without their names."""
    stations = Station.objects.filter(station_id__startswith=prefix).order_by("pk")
    return [
        (
            station.owner_id,
            station.fence,
            station.subprotocol,
            station.security_profile,
            station.registration,
            station.connected_at is not None,
            list(station.commands.order_by("created_at").values_list("status", "error")),
            [(alert.kind, alert.resolved_at is None) for alert in station.alerts.all()],
        )
        for station in stations
    ]


@pytest.mark.parametrize("unknown", ["refuse", "pending"])
def test_together_is_the_same_as_one_by_one(here, settings, unknown):
    settings.CSMS_UNKNOWN_STATIONS = unknown
    sides = {"a": [], "b": []}
    for side, asked in sides.items():
        for number, (make, asks) in enumerate(CASES.values()):
            make(f"{side}-{number}")
            asked += [ask_for(f"{side}-{number}") for ask_for in asks]
    together = admit_together(sides["a"], here)
    alone = [verdict_alone(asked, here) for asked in sides["b"]]
    assert [told(verdict) for verdict in together] == [told(verdict) for verdict in alone]
    assert rows("a") == rows("b")


@pytest.mark.parametrize("case", ["rising profile", "key on its way", "refused before", "unknown"])
def test_what_is_seldom_is_left_to_be_admitted_alone(here, settings, case):
    settings.CSMS_UNKNOWN_STATIONS = "pending"
    make, asks = CASES[case]
    make("K-2")
    assert arrivals.admit_all([asks[0]("K-2")], here) == [arrivals.ALONE]
    assert not Station.objects.filter(fence__gt=0).exists()


def test_a_certificate_is_judged_alone(here):
    add("K-2")
    certificate = make_root("K-2").certificate
    assert arrivals.admit_all([ask("K-2", certificate=certificate)], here) == [arrivals.ALONE]


def test_many_cost_as_many_queries_as_few(here, django_assert_num_queries):
    for number in range(40):
        add(f"K-{number}")
    few, many = [ask("K-0"), ask("K-1")], [ask(f"K-{number}") for number in range(2, 40)]
    for asked in (few, many):
        with django_assert_num_queries(7):  # with the two of the transaction's savepoint
            arrivals.admit_all(asked, here)


def test_former_owners_are_told_once_for_all(
    here, there, bells, django_capture_on_commit_callbacks
):
    moving = [add(f"K-{number}", owner_id=there, fence=4) for number in range(3)]
    with django_capture_on_commit_callbacks(execute=True):
        arrivals.admit_all([ask(station.station_id) for station in moving], here)
    (bell,) = bells
    assert bell["type"] == "stations.moved"
    assert sorted(bell["stations"]) == [[station.pk, 5] for station in moving]


def test_a_station_that_charges_is_to_be_resumed(here, tariff):
    quiet, charging = add("K-2"), add("K-3")
    now = timezone.now()
    IdTag.objects.create(id_tag="X", identity="x")
    begin(station=charging, fact=Started(1, "x", 0, now, now))
    first, second = arrivals.admit_all([ask("K-2"), ask("K-3")], here)
    assert not first.admission.may_resume
    assert second.admission.may_resume
    assert quiet.fence == 0


def test_what_waits_for_a_station_is_told_with_its_admission(here):
    quiet, asked, cut_off = (add(f"K-{n}", owner_id=here, fence=2) for n in range(3))
    call = {"action": "GetConfiguration", "payload": {}, "lane": Command.Lane.OWN}
    commands.send(station=asked, **call)
    sent = commands.send(station=cut_off, reference="setup", **call)
    commands.mark_sent(sent, 2)
    calls.cut_off(station_pk=cut_off.pk, fence=3)
    verdicts = arrivals.admit_all([ask(one.station_id) for one in (quiet, asked, cut_off)], here)
    told = [(v.admission.may_have_queued, v.admission.may_go_on) for v in verdicts]
    assert told == [(False, False), (True, False), (False, True)]


def test_leaving_together_clears_only_the_live_sockets(here):
    live, newer, waiting = (add(f"K-{n}", owner_id=here, fence=2) for n in range(3))
    commands.send(
        station=waiting, action="Reset", payload={}, lane=Command.Lane.ASKED, is_bound=True
    )
    left = arrivals.leave_all([(live.pk, 2), (newer.pk, 1), (waiting.pk, 2), (live.pk, 1)])
    assert left == [True, True, False, True]
    owners = Station.objects.order_by("pk").values_list("owner", flat=True)
    assert list(owners) == [None, here, None]


@pytest.mark.on_postgres
def test_a_row_that_someone_has_locked_stalls_no_one(transactional_db, tariff):
    here = GatewayProcess.objects.create(channel="gateway.here", host="test").pk
    locked, free = add("K-2"), add("K-3")
    with held(f"SELECT 1 FROM stations_station WHERE id = {locked.pk} FOR UPDATE"):
        alone, together = arrivals.admit_all([ask("K-2"), ask("K-3")], here)
        assert arrivals.leave_all([(locked.pk, 1), (free.pk, 1)]) == [False, True]
        presence.touch([locked.pk, free.pk])
    assert alone == arrivals.ALONE
    assert together.admission.fence == 1


LOCK_ALL = "LOCK TABLE stations_station, stations_gatewayprocess IN ACCESS EXCLUSIVE MODE"


@pytest.fixture
def crowd(transactional_db, tariff):
    return [add(f"K-{number}", security_profile=0) for number in range(30)]


async def test_a_crowd_is_online_before_its_handshakes_are_answered(plug_in, gateway, crowd):
    """P7."""

    async def come(station):
        await plug_in(station.station_id)
        row = await Station.objects.select_related("owner").aget(pk=station.pk)
        return row.is_online, row.fence, row.owner_id

    seen = await asyncio.gather(*(come(station) for station in crowd))
    assert seen == [(True, 1, gateway.id)] * 30


async def test_of_two_sockets_at_once_one_is_live(plug_in, crowd):
    """P7: fences grow by one each, and the close of the older one changes nothing."""
    both = await asyncio.gather(plug_in("K-1"), plug_in("K-1"))
    async with asyncio.timeout(10):
        done, _ = await asyncio.wait(
            [asyncio.ensure_future(one.wait_closed()) for one in both],
            return_when=asyncio.FIRST_COMPLETED,
        )
    assert [one.result() for one in done] == [4001]
    row = await Station.objects.select_related("owner").aget(identity="k-1")
    assert (row.is_online, row.fence) == (True, 2)


async def test_a_crowd_that_leaves_is_offline(plug_in, crowd):
    stations = await asyncio.gather(*(plug_in(station.station_id) for station in crowd))
    await asyncio.gather(*(station.close() for station in stations))
    assert not await Station.objects.filter(owner__isnull=False).aexists()


async def test_handshakes_wait_for_a_database_that_comes_back(plug_in, crowd):
    """A late answer is a socket, where a refusal would come back as another attempt."""
    away = held(LOCK_ALL)
    await sync_to_async(away.__enter__)()
    coming = [asyncio.ensure_future(plug_in(station.station_id)) for station in crowd]
    await asyncio.sleep(0.3)
    assert not any(one.done() for one in coming)
    await sync_to_async(away.__exit__)(None, None, None)
    await asyncio.gather(*coming)
    fences = Station.objects.values_list("fence", flat=True)
    assert {fence async for fence in fences} == {1}


async def test_no_handshake_waits_for_ever_and_no_fence_is_lost(plug_in, crowd, monkeypatch):
    monkeypatch.setattr(process, "ADMIT_S", 0.3)
    away = held(LOCK_ALL)
    await sync_to_async(away.__enter__)()
    refused = await asyncio.gather(
        *(plug_in(station.station_id) for station in crowd), return_exceptions=True
    )
    await sync_to_async(away.__exit__)(None, None, None)
    assert [(type(one), one.status) for one in refused] == [(Denied, 503)] * 30
    monkeypatch.setattr(process, "ADMIT_S", 15)
    for _ in range(2):
        await plug_in("K-1")
    row = await Station.objects.select_related("owner").aget(identity="k-1")
    assert row.is_online
    assert row.fence in (2, 3)  # a handshake that was given up on may have been stored


async def test_wrong_keys_among_a_crowd_are_counted(plug_in, gateway, crowd):
    keyed = crowd[0]
    await Station.objects.filter(pk=keyed.pk).aupdate(security_profile=1)
    answers = await asyncio.gather(
        *(plug_in("K-0", key=OTHER_KEY) for _ in range(5)), plug_in("K-1"), return_exceptions=True
    )
    assert [one.status for one in answers[:5]] == [401] * 5
    await gateway._tell()
    alert = await Alert.objects.aget(station=keyed)
    assert alert.count == 5
