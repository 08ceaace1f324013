"""The rows behind the lane: which goes next, and what ends one that nobody ends."""

import datetime as dt

import pytest
from django.utils import timezone

from sessions_app.services import calls, expire
from sessions_app.tests.stage import connect
from stations import commands, presence
from stations.models import Command, Station

Lane, Status = Command.Lane, Command.Status
S = dt.timedelta(seconds=1)


@pytest.fixture
def online(station):
    return connect(station)


def queue(station, lane, action="ClearCache", **options):
    return commands.send(station=station, action=action, payload={}, lane=lane, **options)


def claim(station, **options):
    return calls.claim(station_pk=station.pk, fence=station.fence, **options)


def claim_all(station):
    """Send and answer what is queued, one after the other; return the rows in that order."""
    claimed = []
    while command := claim(station):
        calls.record_answer(command.pk, {"status": "Accepted"})
        claimed.append(command)
    return claimed


def test_lanes_go_in_their_order_and_each_as_it_came(online):
    lanes = (Lane.OWN, Lane.ASKED, Lane.ANSWER, Lane.ASKED, Lane.STOP, Lane.OWN)
    rows = [queue(online, lane) for lane in lanes]
    expected = [rows[4], rows[2], rows[1], rows[3], rows[0], rows[5]]
    assert [row.pk for row in claim_all(online)] == [row.pk for row in expected]


def test_one_call_is_outstanding_at_a_time(online):
    first, second = queue(online, Lane.ASKED), queue(online, Lane.STOP)
    assert claim(online, up_to=Lane.ASKED).pk == second.pk
    assert claim(online) is None
    calls.record_answer(second.pk, {"status": "Accepted"})
    assert claim(online).pk == first.pk


def test_lanes_that_may_not_go_yet_wait(online):
    own = queue(online, Lane.OWN)
    assert claim(online, up_to=Lane.ASKED) is None
    assert claim(online).pk == own.pk


def test_a_replaced_socket_sends_nothing(online):
    queue(online, Lane.ASKED)
    old = online.fence
    newer = connect(online)
    assert calls.claim(station_pk=online.pk, fence=old) is None
    assert calls.claim(station_pk=online.pk, fence=newer.fence) is not None


def test_a_bound_command_waits_for_no_other_socket(online):
    bound = queue(online, Lane.ASKED, is_bound=True)
    newer = connect(online)
    assert claim(newer) is None
    calls.cut_off(station_pk=online.pk, fence=newer.fence)
    bound.refresh_from_db()
    assert (bound.status, bound.error["code"]) == ("failed", "disconnected")


def test_what_could_not_be_sent_in_time_expires_and_is_not_sent(online):
    late = queue(online, Lane.ASKED, expires_in_s=60)
    expire.run_due(late.created_at + 59 * S)
    assert claim(online).pk == late.pk
    Command.objects.update(status=Status.QUEUED, deadline_at=timezone.now() - 1 * S)
    assert claim(online) is None
    expire.run_due(timezone.now() + 5 * S)
    late.refresh_from_db()
    assert (late.status, late.error["code"]) == ("expired", "expired")


def test_a_remote_stop_does_not_expire(online):
    stop = queue(online, Lane.STOP, action="RemoteStopTransaction")
    expire.run_due(stop.created_at + dt.timedelta(days=7))
    stop.refresh_from_db()
    assert (stop.status, stop.deadline_at) == ("queued", None)


def test_a_call_whose_process_died_times_out_by_the_worker(online):
    sent = queue(online, Lane.ASKED, timeout_s=3)
    claim(online)
    sent.refresh_from_db()
    expire.run_due(sent.sent_at + 7 * S)
    sent.refresh_from_db()
    assert sent.status == "sent"
    expire.run_due(sent.sent_at + 9 * S)
    sent.refresh_from_db()
    assert (sent.status, sent.error["code"]) == ("timed_out", "timeout")


def test_a_command_ends_once(online):
    command = queue(online, Lane.ASKED)
    claim(online)
    calls.record_answer(command.pk, {"status": "Accepted"})
    calls.record_silence(command.pk)
    calls.record_refusal(command.pk, "GenericError", "")
    command.refresh_from_db()
    assert (command.status, command.response) == ("answered", {"status": "Accepted"})
    assert command.error is None


def test_a_command_that_ended_is_not_sent(online):
    command = queue(online, Lane.ASKED, reference="run")
    assert commands.withdraw("run") == 1
    assert not commands.mark_sent(command, online.fence)
    assert claim(online) is None
    assert Station.objects.get(pk=online.pk).commands.get().status == "expired"


def test_a_process_that_ends_cuts_off_what_its_sockets_leave(online):
    """What waits for any socket goes on waiting, and another process's stations keep theirs."""
    other = connect(Station.objects.create(station_id="K-2", identity="k-2"))
    elsewhere = queue(other, Lane.ASKED, is_bound=True)
    sent, bound, free = (queue(online, Lane.ASKED, is_bound=each) for each in (False, True, False))
    assert claim(online).pk == sent.pk
    left = commands.open_at(online.owner_id)
    presence.give_up(online.owner_id)
    calls.cut_off_these(left, within_s=60)
    for command in (sent, bound):
        command.refresh_from_db()
        assert (command.status, command.error["code"]) == ("failed", "disconnected")
    for command in (free, elsewhere):
        command.refresh_from_db()
        assert command.status == "queued"
    assert list(Station.objects.online()) == [other]


def test_a_process_that_ends_leaves_over_what_takes_too_long(online):
    bound = queue(online, Lane.ASKED, is_bound=True)
    calls.cut_off_these(commands.open_at(online.owner_id), within_s=-1)
    bound.refresh_from_db()
    assert bound.status == "queued"
