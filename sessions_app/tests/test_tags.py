"""Id tags: one tag in any letter case, and every change has an author."""

import pytest
from django.contrib.admin.models import LogEntry

from billing.errors import Invalid
from sessions_app import tags
from sessions_app.errors import IdTagNotFound
from sessions_app.models import IdTag

pytestmark = pytest.mark.django_db


def test_a_tag_is_found_in_any_letter_case(olga):
    added = tags.add_tag({"id_tag": "Card-ÄÖ-1"}, actor=olga)
    assert tags.find_tag("cARD-äö-1") == added
    assert added.status == IdTag.Status.ACCEPTED


def test_the_same_tag_in_other_letters_is_refused(olga):
    tags.add_tag({"id_tag": "CARD-1"}, actor=olga)
    with pytest.raises(Invalid) as refused:
        tags.add_tag({"id_tag": "card-1"}, actor=olga)
    assert "id_tag" in refused.value.fields
    assert IdTag.objects.count() == 1


@pytest.mark.parametrize("text", ["A\x00B", "A\nB", "A\u200bB", "\ud800", "A\u2028B"])
def test_a_tag_that_cannot_be_printed_is_refused(olga, text):
    with pytest.raises(Invalid) as refused:
        tags.add_tag({"id_tag": text}, actor=olga)
    assert "id_tag" in refused.value.fields
    with pytest.raises(Invalid) as refused:
        tags.add_tag({"id_tag": "CARD-1", "parent_id_tag": text}, actor=olga)
    assert "parent_id_tag" in refused.value.fields


def test_a_tag_that_grows_too_long_without_case_is_refused(olga):
    """ΐ folds to three characters, and twenty of it would not fit the column."""
    with pytest.raises(Invalid):
        tags.add_tag({"id_tag": "ΐ" * 20}, actor=olga)


def test_a_change_touches_only_what_it_names(olga, alice):
    tags.add_tag({"id_tag": "CARD-1", "user": alice, "parent_id_tag": "FLEET"}, actor=olga)
    changed = tags.change_tag("card-1", {"status": IdTag.Status.BLOCKED}, actor=olga)
    changed.refresh_from_db()
    assert (changed.status, changed.user, changed.parent_id_tag) == ("Blocked", alice, "FLEET")


def test_a_tag_can_be_renamed_but_not_to_another(olga):
    tags.add_tag({"id_tag": "CARD-1"}, actor=olga)
    tags.add_tag({"id_tag": "CARD-2"}, actor=olga)
    with pytest.raises(Invalid):
        tags.change_tag("CARD-1", {"id_tag": "card-2"}, actor=olga)
    tags.change_tag("CARD-1", {"id_tag": "CARD-3"}, actor=olga)
    assert tags.find_tag("card-3")
    with pytest.raises(IdTagNotFound):
        tags.find_tag("CARD-1")


def test_a_tag_that_began_a_session_may_go_and_the_session_keeps_its_text(stage, olga):
    tags.add_tag({"id_tag": "CARD-1"}, actor=olga)
    stage.begin("CARD-1")
    tags.remove_tag("card-1", actor=olga)
    assert stage.station.sessions.get().id_tag == "CARD-1"
    with pytest.raises(IdTagNotFound):
        tags.remove_tag("CARD-1", actor=olga)


def test_each_change_is_recorded_with_its_author_and_reason(olga):
    tags.add_tag({"id_tag": "CARD-1"}, actor=olga, reason="new card")
    tags.change_tag("CARD-1", {"status": IdTag.Status.BLOCKED, "user": None}, actor=olga)
    tags.remove_tag("CARD-1", actor=olga, reason="lost")
    entries = LogEntry.objects.order_by("id")
    assert [row.action_flag for row in entries] == [1, 2, 3]
    assert {(row.user, row.object_repr) for row in entries} == {(olga, "CARD-1")}
    assert [row.change_message for row in entries] == ["new card", "status, user", "lost"]
