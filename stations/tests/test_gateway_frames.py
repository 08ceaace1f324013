"""The diary of frames: complete, masked, bounded, and never in the way."""

import json

import pytest

from stations import frames
from stations.frames import FrameLog, mask_text
from stations.models import Frame

IN = Frame.Direction.IN


async def test_every_frame_is_kept_in_both_directions(plug_in, gateway, k1):
    station = await plug_in()
    await station.call("Authorize", {"idTag": "x"}, message_id="a1")
    await station.send_text("no message")
    await station.close()
    await gateway.stop()
    kept = [(row.direction, row.action, row.text) async for row in Frame.objects.order_by("at")]
    assert kept == [
        ("in", "Authorize", json.dumps([2, "a1", "Authorize", {"idTag": "x"}])),
        ("out", "Authorize", '[3,"a1",{"idTagInfo":{"status":"Invalid"}}]'),
        ("in", "", "no message"),
    ]


def test_the_oldest_are_dropped_and_counted(k1, monkeypatch):
    monkeypatch.setattr(frames, "MAX_WAITING", 3)
    log = FrameLog()
    for number in range(5):
        log.add(k1.pk, IN, str(number))
    assert log.dropped == 2
    assert log.write() == 3
    assert [frame.text for frame in Frame.objects.order_by("at")] == ["2", "3", "4"]


def test_large_frames_are_bounded_by_their_size(k1, monkeypatch):
    monkeypatch.setattr(frames, "MAX_WAITING_CHARS", 100)
    log = FrameLog()
    for _ in range(5):
        log.add(k1.pk, IN, "x" * 40)
    assert (log.dropped, log.write()) == (3, 2)


def test_a_row_that_cannot_be_written_costs_itself_only(k1):
    log = FrameLog()
    log.add(k1.pk, IN, "one")
    log.add(k1.pk + 1000, IN, "of a station that is gone")
    log.add(k1.pk, IN, "two\0")
    assert log.write() == 2
    assert {frame.text for frame in Frame.objects.all()} == {"one", "two\ufffd"}


@pytest.mark.parametrize(
    ("frame", "masked"),
    [
        (
            [2, "1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "secret"}],
            '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"***"}]',
        ),
        (
            [3, "1", {"configurationKey": [{"key": "authorizationkey", "value": "secret"}]}],
            '[3,"1",{"configurationKey":[{"key":"authorizationkey","value":"***"}]}]',
        ),
    ],
)
def test_secrets_are_masked(frame, masked):
    assert mask_text(json.dumps(frame)) == masked


def test_a_broken_frame_that_names_a_secret_is_not_kept():
    assert "hunter2" not in mask_text('[2,"1","x",{"key":"AuthorizationKey","value":"hunter2"')
