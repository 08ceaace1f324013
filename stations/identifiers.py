"""Ids that are made in their order, so that the newest lie together in an index."""

import os
import time
import uuid

NS_IN_MS = 1_000_000
US_IN_MS = 1_000
CHANCE_BITS = 62
_VARIANT = 2 << 62


def time_ordered_id() -> uuid.UUID:
    """Return a UUID of version 7: milliseconds since 1970, their fraction, 62 random bits.

    RFC 9562 section 5.7; the 12 bits after the version hold the fraction of the millisecond
    (section 6.2, method 3), so ids that one process makes stand in its order to 0.25 µs.
    """
    ms, rest_ns = divmod(time.time_ns(), NS_IN_MS)
    fraction = (rest_ns << 12) // NS_IN_MS
    return uuid.UUID(int=ms << 80 | 7 << 76 | fraction << 64 | _VARIANT | chance())


def hex_at(at_us: int, rest: int) -> str:
    """Return the same kind of id, in hex, for a moment in µs since 1970; `rest` has 62 bits."""
    ms, rest_us = divmod(at_us, US_IN_MS)
    return f"{ms:012x}7{(rest_us << 12) // US_IN_MS:03x}{_VARIANT | rest:016x}"


def chance(bits: int = CHANCE_BITS) -> int:
    """Return so many random bits."""
    return int.from_bytes(os.urandom(8), "big") >> (64 - bits)
