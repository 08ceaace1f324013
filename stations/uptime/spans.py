"""Spans of time and what can be done with them. Pure.

A span is (from, to), without its end. A list of them that is *merged* is in order, and no two of
them touch; every function takes any list and returns a merged one.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

Span = tuple[dt.datetime, dt.datetime]


def merge(*groups: Iterable[Span]) -> list[Span]:
    """All of them together, each moment once."""
    merged: list[Span] = []
    for began, ended in sorted(span for group in groups for span in group):
        if ended <= began:
            continue
        if merged and began <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(ended, merged[-1][1]))
        else:
            merged.append((began, ended))
    return merged


def overlap(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """What is in both."""
    ours, theirs = merge(one), merge(other)
    found: list[Span] = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        began, ended = max(ours[i][0], theirs[j][0]), min(ours[i][1], theirs[j][1])
        if began < ended:
            found.append((began, ended))
        if ours[i][1] < theirs[j][1]:
            i += 1
        else:
            j += 1
    return found


def without(spans: Iterable[Span], gone: Iterable[Span]) -> list[Span]:
    """What is in the first and not in the second."""
    taken = merge(gone)
    left: list[Span] = []
    for began, ended in merge(spans):
        for start, end in taken:
            if end <= began or start >= ended:
                continue
            if start > began:
                left.append((began, start))
            began = max(began, end)
        if began < ended:
            left.append((began, ended))
    return left


def total_s(spans: Iterable[Span]) -> int:
    """Their length together, in whole seconds."""
    length = sum((ended - began for began, ended in merge(spans)), dt.timedelta())
    return round(length.total_seconds())


def while_true(
    points: Sequence[tuple[dt.datetime, bool]], *, at_first: bool, window: Span
) -> list[Span]:
    """The spans within `window` in which a state held that changed at `points`, in order."""
    spans: list[Span] = []
    began = window[0] if at_first else None
    for at, is_true in points:
        if is_true and began is None:
            began = max(at, window[0])
        elif not is_true and began is not None:
            spans.append((began, min(at, window[1])))
            began = None
    if began is not None:
        spans.append((began, window[1]))
    return merge(spans)
