"""Writing of the archive of a run."""

import json
import tarfile
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from lagbias.archive import layout
from lagbias.archive.crate import ArchivedFile, Production, describe
from lagbias.artefacts import figure_files, store
from lagbias.runtime.atomic import ArtefactError, replacing

__all__ = ["write_archive"]

_README = """\
# lagbias run {run}

What the figures and claims of a run of lagbias are made from, and they themselves. lagbias is a
pipeline for non-parametric Lagrangian halo bias with neural nets, after Wu, Muñoz & Eisenstein 2023
(JCAP05(2023)040, arXiv:2212.08095). This archive is of lagbias {version}.

- `make figures FROM=<this archive>`, in a clone of the repository at the version above, draws the
  figures and checks the claims again, and compares the files with those here byte for byte. Nothing
  is simulated or trained.
- `sha256sum --check {manifest}` compares the files here with their checksums.
- `{crate}` (an RO-Crate) says how each file was made. Paths are relative to
  `results/{run}/` in the repository.
- `{configuration}` is the configuration of the run.
- Values that neither figures nor claims read are left out of {reduced} HDF5 files: {arrays}.
  These arrays have no rows, and an attribute `left_out`.

The licence is that of lagbias, GPL-3.0-or-later. Please cite the paper.
"""


def write_archive(
    output: str | Path,
    made: Mapping[str, Mapping[str, Any]],
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
        ``inputs``, artefacts, ``outputs``, figures and tables, and ``description``, by rule.
        Paths, here and in `left_out`, are relative to the directory of the run.
    left_out : mapping
        Names of arrays whose values the archive does not hold, by artefact.
    directory : str or Path, keyword-only
        Directory of the run.
    configuration : mapping, keyword-only
        The configuration as merged from YAML files.

    Raises
    ------
    lagbias.runtime.atomic.ArtefactError
        If a file cannot be read or written, or figures were drawn with the code of different
        commits, which their metadata name.
    """
    root, run = Path(directory), configuration["run"]
    artefacts = {name: root / name for rule in made.values() for name in rule["inputs"]}
    products = {name: root / name for rule in made.values() for name in rule["outputs"]}
    ancestry = _ancestry(map(str, artefacts.values()))
    versions = _versions(ancestry.values())
    if commit := _commit_of_figures(products.values()):
        versions["lagbias"] += f" (commit {commit})"
    newest = int(max(path.stat().st_mtime for path in artefacts.values()))
    with TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        sources = artefacts | products
        for name, arrays in left_out.items():
            sources[name] = scratch / name
            store.write_without(root / name, sources[name], arrays)

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


def _within(root: Path, path: str) -> str:
    """Return a path relative to the directory of the run; files elsewhere keep theirs."""
    return Path(path).relative_to(root).as_posix() if Path(path).is_relative_to(root) else path


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
    """Return the versions of packages, several where artefacts differ."""
    used: dict[str, set[str]] = {}
    for description in descriptions:
        for name, version in description["versions"].items():
            used.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(found)) for name, found in used.items()}


def _commit_of_figures(paths: Iterable[Path]) -> str | None:
    """Return the commit that figures were drawn with, which has to be one to draw them again."""
    drawn = {path: figure_files.read(path)["commit"] for path in paths if path.suffix == ".png"}
    if len(set(drawn.values())) > 1:
        listed = ", ".join(f"{path.name} ({commit})" for path, commit in sorted(drawn.items()))
        raise ArtefactError(
            f"The figures were drawn with the code of different commits, so that no copy of the "
            f"repository can draw all of them again: {listed}. Delete the directory of the "
            f"figures and run the workflow again, which draws them."
        )
    return next(iter(drawn.values()), None)


def _productions(
    root: Path, ancestry: Mapping[str, Mapping], made: Mapping[str, Mapping]
) -> list[Production]:
    """Return how all files were made, with paths in the archive."""
    productions = [
        Production(
            found["rule"],
            f"with {json.dumps(found['params'], sort_keys=True)}",
            {_within(root, source): identifier for source, identifier in found["inputs"].items()},
            {_within(root, path): found["artefact_id"]},
        )
        for path, found in ancestry.items()
    ]
    productions += [
        Production(
            rule,
            files["description"],
            dict.fromkeys(files["inputs"], ""),
            dict.fromkeys(files["outputs"], ""),
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
    return _README.format(
        run=run,
        version=version,
        manifest=layout.MANIFEST,
        crate=layout.CRATE,
        configuration=layout.CONFIGURATION,
        reduced=len(left_out),
        arrays=", ".join(f"`{name}`" for name in names),
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
