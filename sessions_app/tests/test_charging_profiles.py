"""A station ends a transaction: the profile that named it is gone with it."""

import pytest

from stations.models import InstalledProfile

pytestmark = pytest.mark.django_db
State = InstalledProfile.State


def hold(stage, transaction_id):
    return InstalledProfile.objects.create(
        station=stage.station,
        connector_id=1,
        profile_id=transaction_id,
        purpose="TxProfile",
        stack_level=0,
        profile={"transactionId": transaction_id},
        state=State.INSTALLED,
    )


def test_the_end_of_a_charge_clears_its_profile_and_no_other(stage, alice):
    session = stage.charge(alice)
    own, other = hold(stage, session.transaction_id), hold(stage, session.transaction_id + 1)
    stage.deliver(session.transaction_id, 1_000)
    own.refresh_from_db()
    assert own.state == State.INSTALLED
    stage.end(session.transaction_id)
    own.refresh_from_db()
    other.refresh_from_db()
    assert (own.state, other.state) == (State.CLEARED, State.INSTALLED)


def test_the_same_stop_again_leaves_what_was_installed_since(stage, alice):
    session = stage.charge(alice)
    stage.end(session.transaction_id)
    later = hold(stage, session.transaction_id)
    stage.end(session.transaction_id)
    later.refresh_from_db()
    assert later.state == State.INSTALLED
