"""Blosc blocks of ASDF files, unpacked without leaving the place that is made for them.

The decoder of abacusutils writes every piece of a block behind the one before, as many bytes as
the piece's own header says: in a damaged file that may be more than there is room for. Here the
headers are added up first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import asdf
from abacusnbody.data.asdf import AbacusExtension, BloscCompressor
from asdf.extension import ExtensionProxy

__all__ = ["CheckedBlosc", "checked_blosc"]

# of a piece: version, version of the format, flags, bytes of a number; unpacked, block, packed size
_HEADER = struct.Struct("<BBBBIII")


class CheckedBlosc(BloscCompressor):
    """Blosc as Abacus uses it, for files that may be damaged."""

    def decompress(self, blocks: Iterable[bytes], out: memoryview, **options) -> int:
        """Unpack a block.

        Parameters
        ----------
        blocks : iterable of bytes
            What is in the file, in parts of any length.
        out : memoryview
            Where to.
        **options
            As for abacusutils' decoder.

        Returns
        -------
        int
            Bytes unpacked.

        Raises
        ------
        ValueError
            If a piece is damaged, or all of them have more bytes than `out`.
        """
        return super().decompress(_checked(blocks, len(out)), out, **options)


def _checked(blocks: Iterable[bytes], room: int) -> Iterator[bytes]:
    """Yield whole pieces, each with its length, as long as they fit."""
    pending = bytearray()
    for block in blocks:
        if not len(block):  # asdf goes on to ask for as many bytes as the block claims to have
            raise ValueError("the file ends within a block")
        pending += block
        while len(pending) >= 4:
            length = int.from_bytes(pending[:4], "big")
            if len(pending) < 4 + length:
                break
            piece = bytes(pending[: 4 + length])
            room -= _unpacked_size(piece[4:])
            if room < 0:
                raise ValueError("a block unpacks to more than its size")
            yield piece
            del pending[: 4 + length]
    if pending:
        raise ValueError("a block ends within a piece")


def _unpacked_size(piece: bytes) -> int:
    if len(piece) < _HEADER.size:
        raise ValueError("a piece of a block is too short")
    *_, type_size, size, block_size, packed = _HEADER.unpack_from(piece)
    if packed != len(piece) or not type_size or (size and not block_size):
        raise ValueError("the header of a piece of a block is damaged")
    return size


class _Extension(AbacusExtension):
    """Takes the place of abacusutils' extension, whose name it has."""

    @property
    def compressors(self) -> list[BloscCompressor]:
        return [CheckedBlosc()]


_EXTENSION = ExtensionProxy(_Extension())


@contextmanager
def checked_blosc() -> Iterator[None]:
    """Let asdf unpack Blosc with `CheckedBlosc`, in this thread, while the context lasts."""
    with asdf.config_context() as config:
        config.remove_extension(_EXTENSION.extension_uri)  # asdf warns where two can do the same
        config.add_extension(_EXTENSION)
        yield
