"""Who holds a run: Snakemake locks the files of a run, and this says by whom they are locked.

A run that has begun leaves a record of its process and of the files that it makes, and takes it
away at its end. Snakemake stops a second run of the same files by its own lock, whose message
`explain` adds to. That lock is lost when a run of another name ends in the same directory, or when
somebody unlocks it too early; `take` then stops the second run.
"""

import json
import logging
import os
import shlex
import socket
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from lagbias import store

__all__ = ["RunLocked", "explain", "release", "take"]

logger = logging.getLogger(__name__)

_SNAKEMAKE = Path(".snakemake")
_RECORDS = "lagbias_runs"
_AGAIN = (
    "Unlock the directory with `snakemake --unlock`, and run again: what is finished is kept. If "
    "that run sent jobs to a cluster, see that they have ended first (`squeue --me`)."
)
_WAIT = (
    "Wait for its end, or stop it with `kill -INT` and its number there; or give this run a name "
    "of its own (`run` in the configuration), with which both can work side by side."
)


class RunLocked(RuntimeError):
    """Another run is at work on the same files; the message says which, and what to do."""


@dataclass(frozen=True)
class Owner:
    """The process that makes some files."""

    host: str
    boot: str  # tells times between restarts of a machine apart
    space: str  # process numbers are unique within it: containers may have their own
    pid: int
    birth: str  # tells a process from later ones of the same number
    since: str
    command: str
    outputs: list[str]

    @classmethod
    def this_process(cls, outputs: Collection[str]) -> "Owner":
        return cls(
            **_place(),
            pid=os.getpid(),
            birth=_birth(os.getpid()) or "",
            since=time.strftime("%Y-%m-%d %H:%M:%S"),
            command=shlex.join(["snakemake", *sys.argv[1:]]),
            outputs=sorted(outputs),
        )

    def alive(self) -> bool | None:
        """Return whether the process is there; None where that cannot be known from here."""
        here = _place()
        if self.host != here["host"]:
            return None
        if self.boot != here["boot"]:
            return False  # the machine was started anew
        if self.space != here["space"]:
            return None
        return _birth(self.pid) == self.birth

    def __str__(self):
        return f"process {self.pid} on {self.host}, begun {self.since} as `{self.command}`"


def take(outputs: Collection[str], *, home: Path = _SNAKEMAKE) -> None:
    """Record that this process makes some files, and forget others who did and are gone.

    Parameters
    ----------
    outputs : collection of str
        Paths of the files, as Snakemake has them.
    home : Path
        Snakemake's directory.

    Raises
    ------
    RunLocked
        If a process that is alive makes one of these files.
    """
    wanted = set(outputs)
    for path, owner in _records(home):
        if path == _record(home) or wanted.isdisjoint(owner.outputs):
            continue
        if owner.alive():
            raise RunLocked(
                f"Another run is at work on the same files: {owner}. Nothing was changed. {_WAIT}"
            )
        _remove(path)
    text = json.dumps(asdict(Owner.this_process(wanted)), indent=1)
    try:
        store.write_text(_record(home), text)
    except (OSError, store.ArtefactError) as error:
        logger.warning("Other runs cannot see who makes these files. %s", error)


def release(*, home: Path = _SNAKEMAKE) -> None:
    """Take away the record of this process."""
    _remove(_record(home))


def explain(results: str, *, home: Path = _SNAKEMAKE) -> str:
    """Say who holds Snakemake's lock of files of a run, and what to do.

    Parameters
    ----------
    results : str
        The directory of the run's artefacts, such as ``results/embedded``.
    home : Path
        Snakemake's directory.

    Returns
    -------
    str
        A paragraph; empty where nothing is locked, or nobody knows by whom.
    """
    locked = {file for file in _locked(home) if file.startswith(f"{results}/")}
    holders = [owner for _, owner in _records(home) if not locked.isdisjoint(owner.outputs)]
    if not holders:
        return ""
    owner = max(holders, key=lambda each: (each.alive() is True, each.since))
    alive = owner.alive()
    if alive:
        return (
            f"Files in {results} are being made by another run: {owner}. If Snakemake refuses to "
            f"begin, they are the same that this run needs; nothing is changed then. {_WAIT}"
        )
    if alive is None:
        return (
            f"{results} is locked by {owner}; from here it cannot be seen whether that is still "
            f"at work. If it is, wait for its end. If it is not, its lock has stayed behind. "
            f"{_AGAIN}"
        )
    return (
        f"{results} is locked by a run that is no longer alive ({owner}): it was killed, and its "
        f"lock has stayed behind. {_AGAIN}"
    )


def _records(home: Path) -> Iterator[tuple[Path, Owner]]:
    """Read all records; what cannot be read is none."""
    for path in sorted(home.joinpath(_RECORDS).glob("*.json")):
        try:
            yield path, Owner(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue


def _remove(record: Path) -> None:
    with suppress(OSError):  # of another user, say
        record.unlink()


def _record(home: Path) -> Path:
    return home / _RECORDS / f"{socket.gethostname()}.{os.getpid()}.json"


def _locked(home: Path) -> set[str]:
    """Read the names of the files that Snakemake has locked because they are made."""
    names: set[str] = set()
    for path in home.joinpath("locks").glob("*.output.lock"):
        try:
            names.update(path.read_text(encoding="utf-8").splitlines())
        except OSError:  # taken away meanwhile
            continue
    return names


def _place() -> dict[str, str]:
    """Return what a process number has to be seen together with."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux
        boot = space = ""
    return {"host": socket.gethostname(), "boot": boot, "space": space}


def _birth(pid: int) -> str | None:
    """Return when a process began, in the kernel's ticks, or None if it is gone."""
    if not Path("/proc/self/stat").exists():  # not Linux: any process of that number will do
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return ""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] in "ZX" else words[19]
