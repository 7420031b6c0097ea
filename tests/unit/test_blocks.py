"""Blocks of rows: the changes that the checksum must see, and values that are no numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lagbias.artefacts import blocks

MIB = 1 << 20
RANDOM = np.random.default_rng(0).integers(0, 256, MIB, dtype=np.uint8)


@pytest.mark.parametrize(
    ("shape", "itemsize", "rows"),
    [
        ((576, 576, 576), 4, 1),  # a plane has 1.3 MB
        ((64, 64, 64), 4, 64),
        ((150_000_000, 3), 4, 87376),  # 16 times 5461
        ((10**9,), 4, MIB // 4),
        ((5, 0), 8, MIB),
        ((7, MIB), 1, 1),
    ],
)
def test_blocks_have_about_a_mebibyte(shape, itemsize, rows):
    assert blocks.rows_per_block(shape, itemsize) == rows


@pytest.mark.parametrize("shape", [(), (1,), (5,), (300_000, 3), (3, 600, 300), (0, 3), (3, 0)])
@pytest.mark.parametrize("layout", ["C", "F"])
def test_blocks_are_the_rows_in_order(shape, layout):
    values = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape), order=layout)
    parts = list(blocks.split(values))
    whole = np.concatenate([part.ravel() for part in parts]) if parts else np.empty(0)
    np.testing.assert_array_equal(whole, values.ravel())
    assert all(
        part.flags.c_contiguous and part.nbytes <= max(MIB, values[:1].nbytes if shape else 8)
        for part in parts
    )


@given(
    size=st.integers(1, 40_000),
    change=st.integers(1, 255),
    data=st.data(),
)
def test_any_change_within_8168_bytes_changes_the_checksum(size, change, data):
    values = RANDOM[:size].copy()
    start = data.draw(st.integers(0, size - 1))
    length = data.draw(st.integers(1, min(8168, size - start)))
    before = blocks.checksum(values)
    values[start : start + length] += np.uint8(change)
    assert blocks.checksum(values) != before


@pytest.mark.parametrize("unit", [1024, 4096, 8192, 65536])
def test_parts_that_change_places_change_the_checksum(unit):
    before = blocks.checksum(RANDOM)
    first = slice(unit, 2 * unit)
    for other in range(2, MIB // unit, max(1, MIB // unit // 50)):
        second = slice(other * unit, (other + 1) * unit)
        values = RANDOM.copy()
        values[first], values[second] = RANDOM[second], RANDOM[first]
        assert blocks.checksum(values) != before, other


def test_zeros_of_another_length_have_another_checksum():
    sums = {blocks.checksum(np.zeros(n, np.uint8)) for n in range(1, 100)}
    assert len(sums) == 99


def test_values_that_are_no_numbers_are_counted_and_the_first_is_found():
    values = np.zeros((3, 300_000), np.float32)
    assert blocks.not_finite(values) == ""
    values[1, 7], values[2, 5] = np.inf, np.nan
    assert (
        blocks.not_finite(values) == "2 of 900000 values are not finite, the first (inf) at [1, 7]"
    )
    assert blocks.not_finite(np.array(np.nan)).endswith(
        "1 of 1 values is not finite, the first (nan) at []"
    )
    assert blocks.not_finite(np.array([1j, complex(0, np.inf)])).startswith("1 of 2 values is not")
    assert blocks.not_finite(np.array([b"text"])) == blocks.not_finite(np.arange(3)) == ""
