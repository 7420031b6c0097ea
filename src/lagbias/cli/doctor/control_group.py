"""Limits that a container or a batch system sets with Linux control groups."""

from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["cores", "memory"]

#: Above this many bytes a limit of version 1 means none.
_NO_LIMIT = 1 << 60


def cores(process: Path = Path("/proc/self"), root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the number of cores whose time this process may use, or None without a limit.

    Parameters
    ----------
    process : Path
        Directory of the process in ``/proc``.
    root : Path
        Where control groups are mounted.
    """

    def version_1(group: Path) -> float:
        quota = int((group / "cpu.cfs_quota_us").read_text())
        if quota < 0:
            raise ValueError("no limit")
        return quota / int((group / "cpu.cfs_period_us").read_text())

    def version_2(group: Path) -> float:
        quota, period = (group / "cpu.max").read_text().split()
        return int(quota) / int(period)  # quota may be "max": ValueError

    return _least(process, root, "cpu", version_1, version_2)


def memory(process: Path = Path("/proc/self"), root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Return the bytes of memory that this process may use, or None without a limit."""

    def version_1(group: Path) -> float:
        limit = int((group / "memory.limit_in_bytes").read_text())
        if limit > _NO_LIMIT:
            raise ValueError("no limit")
        return limit

    def version_2(group: Path) -> float:
        return int((group / "memory.max").read_text())

    return _least(process, root, "memory", version_1, version_2)


def _least(
    process: Path,
    root: Path,
    controller: str,
    version_1: Callable[[Path], float],
    version_2: Callable[[Path], float],
) -> float | None:
    """Return the smallest limit among the group of a process and those around it."""
    found = []
    for version, group in _groups(process, root, controller):
        try:
            found.append((version_1 if version == 1 else version_2)(group))
        except (OSError, ValueError):  # a group without this file, or without a limit
            continue
    return min(found, default=None)


def _groups(process: Path, root: Path, controller: str) -> Iterator[tuple[int, Path]]:
    """Yield version and directory of the groups of a process, from the innermost."""
    try:
        lines = (process / "cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        number, names, path = line.split(":", 2)
        if number == "0" or controller in names.split(","):
            mount = root if number == "0" else root / controller
            inner = mount / path.lstrip("/")
            for group in (inner, *inner.parents):
                yield (2 if number == "0" else 1), group
                if group == mount:
                    break
