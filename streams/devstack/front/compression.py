"""Decodes request bodies by their Content-Encoding, piece by piece, without holding a body in memory.

clickhouse-connect compresses each block on its own, so a body is a run of gzip, deflate, lz4 or zstd frames; every
decoder here goes on with the next frame where one ends.
"""

import zlib
from collections.abc import Callable
from typing import Any

import lz4.frame
import zstandard

_NEW_DECODER: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "deflate": zlib.decompressobj,
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
}
ENCODINGS = ("identity", *_NEW_DECODER)


class BadEncoding(ValueError):
    """The body is not what its Content-Encoding says, or the encoding is unknown."""


class Decoder:
    """Turns the pieces of one body into plain bytes; call `finish` after the last piece."""

    def __init__(self, encoding: str | None) -> None:
        """Raises BadEncoding for an encoding that is not in ENCODINGS."""
        self.encoding = (encoding or "identity").strip().lower()
        if self.encoding not in ENCODINGS:
            raise BadEncoding(f"Content-Encoding {encoding!r} is not supported; use one of {', '.join(ENCODINGS)}")
        self._new = _NEW_DECODER.get(self.encoding)
        self._frame: Any = self._new() if self._new else None
        self._in_frame = False

    def feed(self, piece: bytes) -> bytes:
        """The plain bytes that are known so far; raises BadEncoding for bytes that are no such frame."""
        if self._new is None:
            return piece
        plain = []
        try:
            while piece:
                if self._frame.eof:
                    self._frame = self._new()
                plain.append(self._frame.decompress(piece))
                self._in_frame = not self._frame.eof
                piece = self._frame.unused_data if self._frame.eof else b""
        except (zlib.error, RuntimeError, zstandard.ZstdError) as error:
            raise BadEncoding(f"the body is not valid {self.encoding}: {error}") from None
        return b"".join(plain)

    def finish(self) -> None:
        """Raises BadEncoding where the body ended inside a frame: half an INSERT must never be committed."""
        if self._in_frame:
            raise BadEncoding(f"the body ends in the middle of a {self.encoding} frame")
