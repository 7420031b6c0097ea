"""Writing of the archive of a run."""

import tarfile
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from lagbias.archive import layout
from lagbias.archive.crate import ArchivedFile, Production, describe
from lagbias.artefacts import provenance, store
from lagbias.runtime.atomic import replacing

__all__ = ["write_archive"]

_README = """\
# lagbias run {run}

What the figures and claims of a run of lagbias are made from, and they themselves. lagbias is a pipeline for
non-parametric Lagrangian halo bias with neural nets, after Wu, Muñoz & Eisenstein 2023
(JCAP05(2023)040, arXiv:2212.08095). This run used {software}.

- `make figures FROM=<this file>`, in a clone of its repository at that commit, draws the figures and checks the claims
  again, and compares them with those here byte for byte. Nothing is simulated or trained.
- `sha256sum --check {manifest}` compares the files with their checksums.
- `{crate}` (RO-Crate) says of every file how it was made. Paths are relative to `results/{run}/` in the repository.
- `{configuration}` is the configuration of the run.
{left_out}
The licence is that of lagbias, GPL-3.0-or-later. Please cite the paper.
"""
_LEFT_OUT = """\
- {count} of the HDF5 files do not hold the values of arrays that neither a figure nor a claim reads ({names}); their
  attribute `left_out` says so.
"""


def write_archive(
    output: str | Path,
    made: Mapping[str, Mapping[str, Collection[str]]],
    left_out: Mapping[str, Collection[str]],
    *,
    directory: str | Path,
    configuration: Mapping[str, Any],
) -> None:
    """Write what figures and tables are made from, and they themselves, as one tar file.

    The archive is an RO-Crate (`lagbias.archive.crate`). Equal files of equal times give equal
    archives.

    Parameters
    ----------
    output : str or Path
        The tar file.
    made : mapping
        ``inputs``, artefacts, and ``outputs``, figures and tables, by rule.
    left_out : mapping
        Names of arrays whose values the archive does not hold, by artefact.
    directory : str or Path, keyword-only
        Directory of the run.
    configuration : mapping, keyword-only
        The configuration as merged from YAML files.

    Raises
    ------
    lagbias.runtime.atomic.ArtefactError
        If a file cannot be read or written.
    """
    root, run = Path(directory), configuration["run"]
    artefacts = sorted({path for rule in made.values() for path in rule["inputs"]})
    products = sorted({path for rule in made.values() for path in rule["outputs"]})
    ancestry = _ancestry(artefacts)
    versions = _versions(ancestry.values())
    newest = int(max(Path(path).stat().st_mtime for path in [*artefacts, *products]))
    with TemporaryDirectory() as name:
        scratch = Path(name)
        sources = {_within(root, path): Path(path) for path in [*artefacts, *products]}
        for path, arrays in left_out.items():
            sources[_within(root, path)] = reduced = scratch / _within(root, path)
            store.write_without(path, reduced, arrays)

        def add(name: str, text: str) -> None:
            sources[name] = scratch / name
            sources[name].write_text(text, encoding="utf-8")

        add(layout.README, _readme(run, versions["lagbias"], left_out))
        add(
            layout.CONFIGURATION,
            yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True),
        )
        files = {name: _described(name, source) for name, source in sorted(sources.items())}
        add(
            layout.CRATE,
            describe(
                run,
                files,
                _productions(root, ancestry, made),
                versions=versions,
                date=datetime.fromtimestamp(newest, UTC).date().isoformat(),
            ),
        )
        digests = {name: file.sha256 for name, file in files.items()}
        digests[layout.CRATE] = layout.digest(sources[layout.CRATE])
        add(layout.MANIFEST, layout.write_manifest(digests))
        _write_tar(Path(output), sources, newest)


def _within(root: Path, path: str | Path) -> str:
    """Return a path in the archive; files elsewhere keep theirs."""
    path = Path(path)
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _ancestry(paths: Iterable[str]) -> dict[str, dict]:
    """Return the provenance of artefacts, and of what they were made from where it is there."""
    found: dict[str, dict] = {}
    waiting = list(paths)
    for path in waiting:  # grows while it is gone through
        if path not in found and Path(path).exists():
            found[path] = store.header(path).provenance
            waiting.extend(found[path]["inputs"])
    return found


def _versions(descriptions: Iterable[Mapping]) -> dict[str, str]:
    """Return the versions of packages, several where artefacts differ, and the commit."""
    used: dict[str, set[str]] = {}
    for description in descriptions:
        for name, version in description["versions"].items():
            used.setdefault(name, set()).add(version)
    versions = {name: ", ".join(sorted(found)) for name, found in used.items()}
    commit = provenance.commit()
    versions["lagbias"] += f" (commit {commit})" if commit else ""
    return versions


def _productions(
    root: Path, ancestry: Mapping[str, Mapping], made: Mapping[str, Mapping]
) -> list[Production]:
    """Return how all files were made, with paths in the archive."""
    productions = [
        Production(
            found["rule"],
            {_within(root, source): identifier for source, identifier in found["inputs"].items()},
            {_within(root, path): found["artefact_id"]},
        )
        for path, found in ancestry.items()
    ]
    productions += [
        Production(
            rule,
            {_within(root, path): "" for path in files["inputs"]},
            {_within(root, path): "" for path in files["outputs"]},
        )
        for rule, files in made.items()
    ]
    return sorted(productions, key=lambda made: (min(made.outputs), made.rule))


def _described(name: str, source: Path) -> ArchivedFile:
    """Describe a file: artefacts by their kind and labels."""
    title, identifier = name, ""
    if source.suffix == ".h5":
        header = store.header(source)
        labels = [value for value in header.attributes.values() if value and type(value) is str]
        title = f"{header.kind}: {', '.join(labels)}" if labels else header.kind
        identifier = header.provenance["artefact_id"]
    return ArchivedFile(
        title=title,
        size=source.stat().st_size,
        sha256=layout.digest(source),
        identifier=identifier,
    )


def _readme(run: str, version: str, left_out: Mapping[str, Collection[str]]) -> str:
    names = sorted({name for arrays in left_out.values() for name in arrays})
    note = _LEFT_OUT.format(
        count=len(left_out), names=", ".join(f"`{name}`" for name in names)
    )
    return _README.format(
        run=run,
        software=f"lagbias {version}",
        manifest=layout.MANIFEST,
        crate=layout.CRATE,
        configuration=layout.CONFIGURATION,
        left_out=note if left_out else "",
    )


def _write_tar(output: Path, sources: Mapping[str, Path], time: int) -> None:
    """Write files with one time and owner, those that describe the archive first."""
    first = (layout.README, layout.CRATE, layout.MANIFEST, layout.CONFIGURATION)
    with replacing(output) as temporary, tarfile.open(temporary, "w") as tar:
        for name in [*first, *sorted(sources.keys() - set(first))]:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = sources[name].stat().st_size, time, 0o644
            with sources[name].open("rb") as file:
                tar.addfile(info, file)
