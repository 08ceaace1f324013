"""The diary of frames: complete, masked, bounded, and never in the way."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations import addresses, frame_rows, frames, masking
from stations.frame_rows import message_id_of
from stations.frames import IN, FrameLog
from stations.masking import mask, mask_text
from stations.models import Frame, IgnoredFrames


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
        (
            [3, "1", {"configurationKey": [{"key": "FTP_Password", "value": "secret"}]}],
            '[3,"1",{"configurationKey":[{"key":"FTP_Password","value":"***"}]}]',
        ),
        (
            [2, "1", "DataTransfer", {"data": '{"key":"AuthorizationKey","value":"secret"}'}],
            '[2,"1","DataTransfer",{"data":"***"}]',
        ),
        (
            [2, "1", "DataTransfer", {"password": "secret", "user": "u"}],
            '[2,"1","DataTransfer",{"password":"***","user":"u"}]',
        ),
        (
            [2, "1", "GetConfiguration", {"key": ["AuthorizationKey", "HeartbeatInterval"]}],
            '[2,"1","GetConfiguration",{"key":["AuthorizationKey","HeartbeatInterval"]}]',
        ),
    ],
)
def test_secrets_are_masked(frame, masked):
    assert mask_text(json.dumps(frame)) == masked


def test_a_broken_frame_that_names_a_secret_is_not_kept():
    assert "hunter2" not in mask_text('[2,"1","x",{"key":"AuthorizationKey","value":"hunter2"')


def test_a_name_that_is_written_with_escapes_is_a_name_all_the_same():
    text = '[2,"1","ChangeConfiguration",{"key":"\\u0041uthorizationKey","value":"hunter2"}]'
    assert json.loads(text)[3]["key"] == "AuthorizationKey"
    assert "hunter2" not in mask_text(text)


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("ftp://user:hunter2@host/logs", "ftp://***@host/logs"),
        ("ftp://user:hunt@er2@host/logs", "ftp://***@host/logs"),
        ("https://host/up?token=hunter2&x=1", "https://host/up?***"),
        ("https://host/up/hunter2hunter2hunter2_-/log", "https://host/up/***/log"),
        ("https://host/up/hunter2hunter2hunter2", "https://host/up/***"),
        ("https://host/firmware/v1.2.bin", "https://host/firmware/v1.2.bin"),
        ("nothing: to hide", "nothing: to hide"),
    ],
)
@pytest.mark.parametrize("name", ["location", "remoteLocation", "info"])
def test_addresses_lose_their_passwords_and_tokens(address, masked, name):
    text = json.dumps([2, "1", "GetDiagnostics", {name: address}])
    assert json.loads(mask_text(text)) == [2, "1", "GetDiagnostics", {name: masked}]
    slashed = text.replace("/", "\\/")
    assert json.loads(mask_text(slashed)) == [2, "1", "GetDiagnostics", {name: masked}]
    assert mask({name: address}) == {name: masked}


def test_addresses_are_masked_in_a_text_that_cannot_be_read():
    assert mask_text('[2,"1","x",{"location":"ftp://u:hunter2@h"') == (
        '[2,"1","x",{"location":"ftp://***@h"'
    )


def test_a_certificate_and_a_tag_are_shown():
    text = json.dumps(
        [2, "1", "InstallCertificate", {"certificate": "-----BEGIN CERTIFICATE-----"}]
    )
    assert mask_text(text) == text
    text = json.dumps([2, "1", "Authorize", {"idTag": "CARD1"}])
    assert mask_text(text) == text


@pytest.mark.parametrize(
    ("text", "message_id"),
    [
        ('[2,"a1","Heartbeat",{}]', "a1"),
        (' [ 3 , "a1" , {}]', "a1"),
        ('[4,"' + "x" * 36 + '","E","",{}]', "x" * 36),
        ('[4,"' + "x" * 37 + '","E","",{}]', ""),
        ('[2,"a\\u0000","Heartbeat",{}]', ""),
        ('[2,"a\0","Heartbeat",{}]', "a\ufffd"),
        ("[2,1]", ""),
        ('[5,"x"]', ""),
        ("", ""),
        ("(binary: 3 bytes)", ""),
    ],
)
def test_the_id_of_a_message(text, message_id):
    assert message_id_of(text) == message_id


async def test_a_call_and_its_answer_have_one_id(plug_in, gateway, k1):
    station = await plug_in()
    await station.call("Authorize", {"idTag": "x"}, message_id="a1")
    await station.close()
    await gateway.stop()
    ids = [row.message_id async for row in Frame.objects.order_by("at")]
    assert ids == ["a1", "a1"]


def test_what_is_huge_is_cut_and_its_length_is_noted(k1):
    text = (
        '[2,"1","StopTransaction",{"transactionData":"' + "x" * 2_000_000 + '","transactionId":7}]'
    )
    log = FrameLog()
    log.add(k1.pk, IN, text)
    log.write()
    kept = Frame.objects.get().text
    assert len(kept) < frame_rows.MAX_KEPT_CHARS + 100
    assert kept.startswith('[2,"1","StopTransaction"')
    assert kept.endswith('"transactionId":7}]')
    assert f"cut: {len(text)} characters" in kept


def test_a_secret_of_what_is_huge_is_masked_before_it_is_cut(k1):
    change = {"key": "AuthorizationKey", "value": "hunter2", "x": "x" * 200_000}
    log = FrameLog()
    log.add(k1.pk, IN, json.dumps([2, "1", "ChangeConfiguration", change]))
    log.write()
    assert "hunter2" not in Frame.objects.get().text


@pytest.mark.on_postgres
@pytest.mark.parametrize(
    "text",
    ["\\ud800", "\0", "\\u0000", "😀", "\x7f\x1b", "٥", "\\.", "\t\\N\r\n\\t", "\\.\n1\t2", "%s"],
)
def test_any_text_is_kept(k1, text):
    log = FrameLog()
    log.add(k1.pk, IN, json.dumps([2, "1", "DataTransfer", {}])[:-1] + text, action=text)
    assert log.write() == 1
    row = Frame.objects.get()
    assert row.text.endswith(text.replace("\0", "\ufffd"))
    assert row.action == text.replace("\0", "\ufffd")


@pytest.mark.on_postgres
def test_an_action_that_no_utf8_can_carry_is_kept_as_far_as_it_can(k1):
    log = FrameLog()
    log.add(k1.pk, IN, "[2", action="a\ud800")
    assert log.write() == 1
    assert Frame.objects.get().action == "a?"


@pytest.mark.on_postgres
def test_a_row_is_what_was_noted(k1):
    log = FrameLog()
    noted = log.add(k1.pk, IN, '[2,"a1","Heartbeat",{}]', action="Heartbeat")
    log.write()
    row = Frame.objects.get(pk=noted.id)
    assert (row.station, row.direction, row.action, row.at) == (k1, "in", "Heartbeat", noted.at)
    assert Frame.objects.filter(at=noted.at, at__gte=noted.at).exists()


def test_ids_stand_in_the_order_of_the_frames_and_come_once():
    logs = FrameLog(), FrameLog()
    noted = [logs[number % 2].add(1, IN, "x") for number in range(2_000)]
    assert len({one.id for one in noted}) == 2_000
    assert {one.id.version for one in noted} == {7}
    moments = [one.at for one in sorted(noted, key=lambda one: one.id)]
    assert moments == sorted(moments)


@pytest.mark.on_postgres
def test_one_bad_row_among_many_costs_itself_only(k1):
    log = FrameLog()
    for number in range(50):
        log.add(k1.pk + 1000 * (number in (7, 33)), IN, str(number))
    assert log.write() == 48
    assert Frame.objects.count() == 48


@given(
    st.lists(
        st.sampled_from(
            [
                "AuthorizationKey",
                "PassW",
                "ord",
                "d",
                "SECRET",
                "\\u00",
                "4",
                "8",
                "ſecret",
                "K",
                "x",
            ]
        )
        | st.text(max_size=3)
    ).map("".join)
)
def test_the_cheap_look_for_secrets_finds_what_the_pattern_finds(text):
    assert masking._may_tell_secret(text) == bool(masking._HINT.search(text))


async def test_what_is_ignored_is_counted_and_shown(plug_in, gateway, k1):
    station = await plug_in()
    await station.socket.send(b"abc")
    await station.send_text("no message")
    await station.send_text("[]")
    await station.send_frame([3, "of nothing", {}])
    await station.call("Heartbeat", {})
    await station.close()
    await gateway.stop()
    counts = {row.kind: row.count async for row in IgnoredFrames.objects.filter(station=k1)}
    assert counts == {"binary": 1, "no_message": 2, "late_answer": 1}
    assert await Frame.objects.filter(text="(binary: 3 bytes)").aexists()


def test_counts_add_up_over_writes_and_processes(k1):
    first, second = FrameLog(), FrameLog()
    for log in (first, second, first):
        log.ignore(k1.pk, IgnoredFrames.Kind.BINARY)
        log.write()
        log.write()
    row = IgnoredFrames.objects.get()
    assert (row.kind, row.count) == ("binary", 3)


def test_what_the_diary_could_not_keep_is_counted(k1, monkeypatch):
    monkeypatch.setattr(frames, "MAX_WAITING", 3)
    log = FrameLog()
    for number in range(5):
        log.add(k1.pk, IN, str(number))
    log.write()
    assert IgnoredFrames.objects.get(kind="unkept").count == 2


def test_a_station_that_is_gone_is_counted_no_more(k1):
    log = FrameLog()
    log.ignore(k1.pk + 1000, IgnoredFrames.Kind.BINARY)
    log.ignore(k1.pk, IgnoredFrames.Kind.BINARY)
    log.write()
    assert IgnoredFrames.objects.get().station == k1


@pytest.mark.parametrize("kind", [addresses.FIRMWARE, addresses.UPLOAD])
def test_the_token_of_an_address_of_ours_is_hidden(settings, kind):
    settings.CSMS_PUBLIC_URL = "https://kubat.example.org"
    text = json.dumps([2, "1", "GetLog", {"location": addresses.address(kind, 12, "fw.bin")}])
    (*_, payload) = json.loads(mask_text(text))
    assert payload == {"location": f"https://kubat.example.org/{kind}/***/fw.bin"}
