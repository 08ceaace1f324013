"""One key, however it is spelled; and no other."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations import keys

HEX = "0123456789abcdef0123456789ABCDEF01234567"


def test_a_new_key_is_what_every_station_can_hold():
    made = {keys.make() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch("[0-9a-f]{40}", key) for key in made)
    assert keys.digest("a key of mine") == hashlib.sha256(b"a key of mine").hexdigest()


@pytest.mark.parametrize(
    "password",
    [HEX.encode(), HEX.lower().encode(), HEX.upper().encode(), bytes.fromhex(HEX)],
)
@pytest.mark.parametrize("stored", [HEX, HEX.lower(), HEX.upper()])
def test_hexadecimal_digits_and_the_bytes_they_stand_for_are_one_key(stored, password):
    assert keys.is_one_of(password, [keys.digest(stored)])


def test_the_shortest_key_in_hexadecimal_digits_may_come_as_bytes():
    assert keys.is_one_of(bytes.fromhex(HEX[:16]), [keys.digest(HEX[:16])])
    assert not keys.is_one_of(bytes.fromhex(HEX[:14]), [keys.digest(HEX[:14])])


def test_a_digest_from_before_spellings_were_one_is_still_found():
    old = hashlib.sha256(b"0123456789ABCDEF").hexdigest()
    assert keys.is_one_of(b"0123456789ABCDEF", [old])


@pytest.mark.parametrize(
    "password",
    [b"", b"A QUIET KEY 1234", b"a quiet key 1234 ", b"a quiet key 123", b"\xff" * 16],
)
def test_another_text_is_another_key(password):
    assert not keys.is_one_of(password, [keys.digest("a quiet key 1234"), ""])


def test_one_of_several_is_enough():
    digests = ["", keys.digest("old key of K-1"), keys.digest("new key of K-1")]
    assert keys.is_one_of(b"new key of K-1", digests)
    assert not keys.is_one_of(b"no key of K-1", digests)
    assert not keys.is_one_of(b"old key of K-1", [])


@given(st.text(min_size=1, max_size=40), st.binary(max_size=40))
def test_only_its_own_spellings_open(key, password):
    spelled = key.encode("utf-8", "surrogatepass") if key.isprintable() else b"x"
    known = [keys.digest(spelled.decode())] if key.isprintable() else [keys.digest("x")]
    assert keys.is_one_of(spelled, known)
    if password.lower() != spelled.lower() and password.hex() != spelled.decode().lower():
        assert not keys.is_one_of(password, known)
