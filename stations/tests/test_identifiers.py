"""Ids that stand in the order in which they were made."""

import time
import uuid

from stations.identifiers import time_ordered_id
from stations.models import Frame


def test_an_id_is_a_uuid_of_version_7_of_this_moment():
    before = time.time_ns() // 1_000_000
    made = time_ordered_id()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_later_ids_are_greater(monkeypatch):
    now_ns = 1_800_000_000_000_000_000
    moments = [now_ns + step for step in (0, 300, 999_999, 1_000_000, 5_000_000_000)]
    monkeypatch.setattr(time, "time_ns", iter(moments).__next__)
    ids = [time_ordered_id() for _ in moments]
    assert ids == sorted(ids)
    assert [str(made) for made in ids] == sorted(str(made) for made in ids)


def test_ids_of_one_moment_differ(monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000_000_000)
    assert len({time_ordered_id() for _ in range(1000)}) == 1000


def test_a_frame_has_one_before_it_is_written():
    assert Frame().pk.version == 7
