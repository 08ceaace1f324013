"""Answer with a file from disk, in pieces: whole or a range, never held in memory."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from .. import storage

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
MAX_DIGITS = 18


def serve_file(request: HttpRequest, *, path: str, name: str, sha256: str) -> HttpResponseBase:
    """Answer GET or HEAD with a stored file, as an attachment that no browser interprets.

    One range is honoured (RFC 9110 §14), so that a station goes on where it was cut off; what is
    not one range is answered whole. Raises Http404 where the file is gone.
    """
    file = storage.locate(path)
    try:
        size = file.stat().st_size
    except OSError:
        raise Http404 from None
    etag = f'"{sha256}"'
    asked = request.headers.get("Range", "")
    if request.headers.get("If-Range", etag) != etag:
        asked = ""
    span = _span(asked, size)
    if span is None:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    first, end = span
    headers = {**_headers(name, etag), "Content-Length": str(end - first)}
    is_part = (first, end) != (0, size)
    if is_part:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
    status = 206 if is_part else 200
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    return StreamingHttpResponse(_read(file, first, end), status=status, headers=headers)


def _headers(name: str, etag: str) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, no-store",
        "Accept-Ranges": "bytes",
        "ETag": etag,
    }


def _span(asked: str, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last; None for a range that is not in the file."""
    found = _RANGE.fullmatch(asked.strip())
    if found is None or not any(found.groups()) or max(map(len, found.groups())) > MAX_DIGITS:
        return 0, size
    first, last = found.groups()
    if not first:
        return (max(size - int(last), 0), size) if int(last) and size else None
    if int(first) >= size:
        return None
    if last and int(last) < int(first):
        return 0, size
    return int(first), min(int(last) + 1, size) if last else size


async def _read(file: Path, first: int, end: int) -> AsyncIterator[bytes]:
    """Pieces of a file, each read in a thread: the loop serves the sockets of stations."""
    source = await asyncio.to_thread(file.open, "rb")
    try:
        await asyncio.to_thread(source.seek, first)
        while first < end:
            piece = await asyncio.to_thread(source.read, min(storage.CHUNK_BYTES, end - first))
            if not piece:
                return
            first += len(piece)
            yield piece
    finally:
        source.close()
