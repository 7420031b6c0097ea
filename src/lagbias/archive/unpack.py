"""Unpacking of archives, verified, without overwriting what differs."""

import lzma
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from lagbias.archive import layout
from lagbias.runtime.atomic import ArtefactError
from lagbias.runtime.messages import first_line

__all__ = ["unpack"]

_AGAIN = "Get the archive again."
_SHOWN = 3  # file names in a message


def unpack(archive: str | Path, results: str | Path = "results") -> Path:
    """Unpack what figures and tables are made from.

    Nothing is put in place unless all files have their checksums. Figures and tables are verified
    but not put in place, so that the workflow makes them.

    Parameters
    ----------
    archive : str or Path
        File that `lagbias.stages.write_archive.write_archive` wrote, compressed or not.
    results : str or Path
        Directory that holds the directories of runs.

    Returns
    -------
    Path
        Directory of the run, ``<results>/<run>``.

    Raises
    ------
    lagbias.runtime.atomic.ArtefactError
        If the archive cannot be read, is damaged or has unsafe paths, or if the directory of the
        run has other files in the same places. Nothing was changed then.
    OSError
        If files cannot be written.
    """
    archive, results = Path(archive), Path(results)
    results.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=results, prefix=".unpacking-") as name:
        unpacked = Path(name)
        _extract(archive, unpacked)
        digests = _verify(archive, unpacked)
        run = results / _run_name(archive, unpacked)
        kept = {name: value for name, value in digests.items() if not layout.is_made_again(name)}
        present = _present(run, kept)
        for name in sorted(kept.keys() - present):
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            (unpacked / name).rename(run / name)
    return run


def _extract(archive: Path, target: Path) -> None:
    """Write the files of an archive, with their times; other kinds of members are refused."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if not (member.isfile() and layout.is_safe(member.name)):
                    raise ArtefactError(
                        f"{archive} holds {member.name!r}, which is not a file inside of the "
                        "archive. It is not an archive of a run; do not use it."
                    )
                _write(tar, member, target / member.name)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ArtefactError(
            f"{archive} is damaged or not a tar file ({first_line(error)}). {_AGAIN}"
        ) from error


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write one file, as `tarfile`'s filter "data" would, which Python has since 3.11.4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tar.extractfile(member) as source, path.open("wb") as file:
        shutil.copyfileobj(source, file)
    os.utime(path, (member.mtime, member.mtime))


def _verify(archive: Path, unpacked: Path) -> dict[str, str]:
    """Return the checksums of all files by path; raise ArtefactError if one is not as listed."""
    manifest = unpacked / layout.MANIFEST
    if not manifest.is_file():
        raise ArtefactError(
            f"{archive} holds no {layout.MANIFEST}: it is not an archive of a run. `make archive` "
            "writes one."
        )
    listed = layout.read_manifest(manifest.read_text(encoding="utf-8"))
    files = (path for path in unpacked.rglob("*") if path.is_file() and path != manifest)
    found = {path.relative_to(unpacked).as_posix(): layout.digest(path) for path in files}
    wrong = {name for name in listed.keys() | found if listed.get(name) != found.get(name)}
    if wrong:
        raise ArtefactError(
            f"{archive} is damaged: {_some(wrong)} {'is' if len(wrong) == 1 else 'are'} not as "
            f"{layout.MANIFEST} says. {_AGAIN}"
        )
    return found | {layout.MANIFEST: layout.digest(manifest)}


def _run_name(archive: Path, unpacked: Path) -> str:
    """Return the name of the run in the configuration."""
    configuration = unpacked / layout.CONFIGURATION
    try:
        run = yaml.safe_load(configuration.read_text(encoding="utf-8"))["run"]
    except (OSError, yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise ArtefactError(
            f"{archive} has no readable {layout.CONFIGURATION} with the name of the run "
            f"({first_line(error)}). {_AGAIN}"
        ) from error
    if not (isinstance(run, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+\-]*", run)):
        raise ArtefactError(f"{archive} is of a run called {run!r}, which is no name. {_AGAIN}")
    return run


def _present(run: Path, digests: Mapping[str, str]) -> set[str]:
    """Return which files are there; raise ArtefactError if one differs."""
    present = {name for name in digests if (run / name).exists()}
    differ = {name for name in present if layout.digest(run / name) != digests[name]}
    if differ:
        raise ArtefactError(
            f"{run} has {_some(differ)} with other content than the archive. Nothing was changed; "
            f"move {run} away, or unpack in another copy of the repository."
        )
    return present


def _some(names: set[str]) -> str:
    """List a few names."""
    shown = ", ".join(sorted(names)[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
