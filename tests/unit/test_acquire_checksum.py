"""POSIX checksums against GNU cksum and the sums shipped with real data."""

import os
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from lagbias.sources.abacus.acquire.checksum import (
    CHECKSUM_FILE,
    Checksum,
    Cksum,
    checksums_below,
    cksum,
    mismatch,
    parse_checksums,
    read_checksums,
)
from lagbias.sources.abacus.acquire.errors import CorruptFileError, MissingFileError

#: What GNU cksum 9.1 prints.
RECORDED = [
    (b"", 4294967295),
    (b"123456789", 930766865),
    (b"\x00", 4215202376),
    (bytes(256), 4215202376),  # as one zero: its length is written 0, 1
    (bytes(range(256)), 1313719201),
]


@pytest.fixture(scope="session")
def mini(repository):
    path = Path(
        os.environ.get("LAGBIAS_ABACUS_MINI")
        or repository.parent / "shared" / "data" / "abacus_mini"
    )
    if not path.is_dir():
        pytest.skip("no real data: set LAGBIAS_ABACUS_MINI to the directory of Mini_N64_L32")
    return path


@pytest.mark.parametrize(("data", "crc"), RECORDED)
def test_recorded_sums(data, crc):
    assert Cksum(data).result() == Checksum(crc, len(data))


@pytest.mark.skipif(shutil.which("cksum") is None, reason="GNU cksum is not installed")
@pytest.mark.parametrize("size", [1, 255, 256, 65535, 65536, (1 << 20) + 1, 3 * (1 << 20)])
def test_files_get_the_sum_that_gnu_cksum_prints(tmp_path, size):
    path = tmp_path / "data"
    path.write_bytes(np.random.default_rng(size).bytes(size))
    printed = subprocess.run(["cksum", path], capture_output=True, text=True, check=True).stdout
    assert cksum(path) == Checksum(*map(int, printed.split()[:2]))


def test_pieces_give_the_sum_of_the_whole():
    data = np.random.default_rng(5).bytes(1000)
    digest = Cksum(data[:1])
    for start in range(1, 1000, 97):
        digest.update(memoryview(data)[start : start + 97])
        digest.result()  # looking in between changes nothing
    assert digest.result() == Cksum(data).result()


def test_one_wrong_bit_and_one_lost_zero_are_seen():
    data = bytes(500)
    assert Cksum(data[:-1]).result().crc != Cksum(data).result().crc
    assert Cksum(data[:-1] + b"\x01").result().crc != Cksum(data).result().crc


def test_every_sum_shipped_with_real_data_is_right(mini):
    listings = sorted(mini.rglob(CHECKSUM_FILE))
    assert len(listings) == 11  # nine products of halos and particles, two of cleaning
    for listing in listings:
        sums = read_checksums(listing)
        assert len(sums) == 3
        for name, expected in sums.items():
            assert mismatch(listing.parent / name, expected) is None
    relative = PurePosixPath("Mini_N64_L32/halos/z0.000/halo_info/halo_info_001.asdf")
    assert checksums_below(mini, [relative]) == {relative: Checksum(2237048601, 54270)}


def test_what_is_wrong_is_said(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"123456789")
    assert mismatch(path, Checksum(930766865, 9)) is None
    assert mismatch(path, Checksum(1, 9)) == "its checksum is 930766865, 1 was expected"
    assert mismatch(path, Checksum(1, 9), size_only=True) is None
    assert mismatch(path, Checksum(930766865, 10)) == "it has 9 bytes, 10 were expected"
    path.write_bytes(b"\n<!DOCTYPE html><html>log in</html>")
    assert "web page" in mismatch(path, Checksum(930766865, 9))


def test_lines_are_read():
    sums = parse_checksums("1 2 a_000.asdf\n\n 4294967295   0  name with blanks \n")
    assert sums == {"a_000.asdf": Checksum(1, 2), "name with blanks": Checksum(4294967295, 0)}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "lists no files"),
        ("\n \n", "lists no files"),
        ("<html><body>Not found</body></html>", "line 1 is not '<crc> <bytes> <filename>'"),
        ("1 2 a\n3 4", "line 2 .*2 words instead of 3"),
        ("deadbeef 2 a", "whole numbers"),
        ("1 -2 a", "whole numbers"),
        ("4294967296 2 a", "more than 32 bits"),
        ("1 2 ../a", "stay inside"),
        ("1 2 /etc/passwd", "stay inside"),
        ("1 2 a\n1 3 a", "line 2 .*another checksum"),
    ],
)
def test_damaged_lists_are_refused(text, complaint):
    with pytest.raises(CorruptFileError, match=complaint):
        parse_checksums(text, source="somewhere/checksums.crc32")


def test_lists_on_disk(tmp_path):
    with pytest.raises(MissingFileError, match=r"checksums\.crc32 does not exist"):
        read_checksums(tmp_path / CHECKSUM_FILE)
    (tmp_path / CHECKSUM_FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorruptFileError, match="not text"):
        read_checksums(tmp_path / CHECKSUM_FILE)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / CHECKSUM_FILE).write_text("1 2 a\n")
    found = checksums_below(tmp_path, ["sub/a", "sub/b", "elsewhere/a"])
    assert found == {PurePosixPath("sub/a"): Checksum(1, 2)}
