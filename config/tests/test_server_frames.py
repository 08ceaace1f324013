"""The frames that we read ourselves, held against the library that reads all others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from config.servers.frames import Boundary, of_text, text_of

SIZES = [0, 1, 5, 125, 126, 127, 568, 65535]


def from_client(opcode, data, *, fin=True):
    return Frame(opcode, data, fin).serialize(mask=True)


def parsed(data, *, mask):
    """What the library makes of the bytes of one frame."""
    reader = StreamReader()
    reader.feed_data(data)
    parsing = Frame.parse(reader.read_exact, mask=mask)
    try:
        next(parsing)
    except StopIteration as done:
        return done.value
    raise AssertionError("not whole")


@pytest.mark.parametrize("size", SIZES)
def test_a_text_is_read_whatever_its_length(size):
    assert text_of(from_client(Opcode.TEXT, b"x" * size)) == "x" * size


@given(st.text())
def test_any_text_comes_and_goes_as_it_is(text):
    assert text_of(from_client(Opcode.TEXT, text.encode())) == text
    assert bytes(parsed(of_text(text), mask=False).data).decode() == text


@pytest.mark.parametrize("size", [*SIZES, 65536, 70_000])
def test_what_we_send_is_a_frame_to_the_library(size):
    frame = parsed(of_text("x" * size), mask=False)
    assert (frame.opcode, frame.fin, len(frame.data)) == (Opcode.TEXT, True, size)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81",
        from_client(Opcode.BINARY, b"x"),
        from_client(Opcode.PING, b"x"),
        from_client(Opcode.CLOSE, b"\x03\xe8"),
        from_client(Opcode.CONT, b"x"),
        from_client(Opcode.TEXT, b"x", fin=False),
        from_client(Opcode.TEXT, b"\xff\xfe"),
        from_client(Opcode.TEXT, b"\xed\xa0\x80"),
        from_client(Opcode.TEXT, b"x" * 65536),
        from_client(Opcode.TEXT, b"hello")[:-1],
        from_client(Opcode.TEXT, b"hello") + b"\x81",
        from_client(Opcode.TEXT, b"a") + from_client(Opcode.TEXT, b"b"),
        of_text("not masked"),
        b"\xc1" + from_client(Opcode.TEXT, b"compressed")[1:],
        b"\x81\xfe\x00\x01" + bytes(4) + b"x",  # a length in more bytes than it needs
    ],
)
def test_all_else_is_left_to_the_library(data):
    assert text_of(data) is None


@given(
    st.lists(
        st.tuples(st.sampled_from([Opcode.TEXT, Opcode.PING]), st.integers(0, 300)), max_size=6
    ),
    st.integers(1, 3000),
)
def test_the_end_of_a_frame_is_known_however_the_bytes_come(sizes, step):
    whole = [from_client(kind, b"x" * (size if kind is Opcode.TEXT else 5)) for kind, size in sizes]
    stream, ends, boundary = b"".join(whole), {0}, Boundary()
    for frame in whole:
        ends.add(max(ends) + len(frame))
    for at in range(0, len(stream), step):
        boundary.follow(stream[at : at + step])
        assert boundary.is_reached() == (min(at + step, len(stream)) in ends)
    assert not boundary.has_close


@pytest.mark.parametrize("size", [*SIZES, 70_000])
def test_a_close_is_found_behind_what_was_refused(size):
    boundary = Boundary()
    boundary.follow(from_client(Opcode.TEXT, b"\x88" * size))
    assert not boundary.has_close
    boundary.follow(from_client(Opcode.CLOSE, b"\x03\xe8"))
    assert boundary.has_close
    assert boundary.is_reached()
