import gzip
import zlib

import lz4.frame
import pytest
import zstandard

from streams.devstack.front.compression import BadEncoding, Decoder

ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": lambda plain: zstandard.ZstdCompressor().compress(plain),
}


def decoded(encoding: str, body: bytes, step: int) -> bytes:
    decoder = Decoder(encoding)
    plain = b"".join(decoder.feed(body[i : i + step]) for i in range(0, len(body), step))
    decoder.finish()
    return plain


@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_body_of_several_frames_is_read_to_its_end_however_it_is_cut(encoding: str, step: int) -> None:
    parts = [b"first " * 50, b"", b"third " * 50]
    assert decoded(encoding, b"".join(map(ENCODERS[encoding], parts)), step) == b"".join(parts)


@pytest.mark.parametrize("encoding", ENCODERS)
def test_body_that_ends_inside_a_frame_is_refused(encoding: str) -> None:
    whole = ENCODERS[encoding](b"rows " * 1000)
    with pytest.raises(BadEncoding, match="ends in the middle"):
        decoded(encoding, whole + whole[:-5], 64)


@pytest.mark.parametrize("encoding", ENCODERS)
def test_body_of_another_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(BadEncoding, match=f"not valid {encoding}"):
        decoded(encoding, b"INSERT INTO t FORMAT CSV 1,2,3", 64)


def test_unknown_encoding_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadEncoding, match="'br' is not supported; use one of identity, gzip, deflate, lz4, zstd"):
        Decoder("br")


def test_body_without_encoding_passes_unchanged() -> None:
    assert decoded("", b"plain", 2) == b"plain"
