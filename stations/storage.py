"""Files on disk, each under a name of ours: firmware that stations fetch, logs they hand in.

Whoever serves must see them: several hosts share CSMS_MEDIA_DIR.
"""

import contextlib
import hashlib
import logging
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from .errors import FileTooLarge, StorageFailed

logger = logging.getLogger(__name__)

CHUNK_BYTES = 64 * 1024
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is on disk, whole; `path` is relative to the media directory."""

    path: str
    size_bytes: int
    sha256: str


def store(folder: str, chunks: Iterable[bytes], *, limit_mb: int) -> Stored:
    """Write a file chunk by chunk. Raises FileTooLarge and StorageFailed, and leaves nothing."""
    path = f"{folder}/{uuid.uuid4().hex}"
    draft = locate(f"{path}.part")
    try:
        draft.parent.mkdir(parents=True, exist_ok=True)
        size_bytes, sha256 = _write(draft, chunks, limit_mb * MEGABYTE)
        draft.replace(locate(path))
    except OSError as error:
        logger.error("A file could not be kept: %s", error)
        raise StorageFailed from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    return Stored(path, size_bytes, sha256)


def locate(path: str) -> Path:
    return Path(settings.CSMS_MEDIA_DIR) / path


def remove(path: str) -> None:
    """Delete a file, which may be gone already."""
    if path:
        locate(path).unlink(missing_ok=True)


def _write(draft: Path, chunks: Iterable[bytes], limit_bytes: int) -> tuple[int, str]:
    size_bytes, digest = 0, hashlib.sha256()
    with draft.open("xb") as file:
        for chunk in chunks:
            size_bytes += len(chunk)
            if size_bytes > limit_bytes:
                raise FileTooLarge
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size_bytes, digest.hexdigest()
