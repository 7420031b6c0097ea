"""Description of an archive as an RO-Crate: files, how they were made, software, paper, licence.

It follows RO-Crate 1.1 (https://w3id.org/ro/crate/1.1) and Process Run Crate 0.5
(https://w3id.org/ro/wfrun/process/0.5): an action for each artefact, from the provenance in it, and
for each figure and table. What an artefact was made from and the archive leaves out is described
without a file, back to the simulations.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from lagbias.archive import layout

__all__ = ["ArchivedFile", "Production", "describe"]

_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_LICENCE = "https://spdx.org/licenses/GPL-3.0-or-later"
_PAPER = "https://doi.org/10.1088/1475-7516/2023/05/040"
_FORMATS = {
    ".h5": "application/x-hdf5",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
}


@dataclass(frozen=True, kw_only=True)
class ArchivedFile:
    """A file of an archive.

    Attributes
    ----------
    title : str
        What it is, in a few words.
    size : int
        Bytes.
    sha256 : str
        Hexadecimal digits.
    identifier : str
        ``artefact_id`` of an artefact, empty for other files.
    """

    title: str
    size: int
    sha256: str
    identifier: str = ""


@dataclass(frozen=True)
class Production:
    """What a rule made from what.

    Attributes
    ----------
    rule : str
        Name of the rule.
    description : str
        Its parameters, or what it shows.
    inputs, outputs : mapping of str to str
        ``artefact_id`` by path; empty for files that are no artefacts.
    """

    rule: str
    description: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def describe(
    run: str,
    files: Mapping[str, ArchivedFile],
    productions: Iterable[Production],
    *,
    versions: Mapping[str, str],
    date: str,
) -> str:
    """Describe an archive.

    Parameters
    ----------
    run : str
        Name of the run.
    files : mapping of str to ArchivedFile
        By path in the archive.
    productions : iterable of Production
        How these, and what they were made from, were made.
    versions : mapping of str to str, keyword-only
        Versions of packages; that of ``lagbias`` may name a commit.
    date : str, keyword-only
        Date of the run, in ISO 8601.

    Returns
    -------
    str
        Content of ``ro-crate-metadata.json``.
    """
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms["sha256"] = "https://schema.org/sha256"  # not in 1.1
    data = {name: _add_file(crate, name, file) for name, file in files.items()}
    software = _add_software(crate, versions)
    outside: dict[str, Entity] = {}

    def entity(path: str, identifier: str) -> Entity:
        if path not in data and path not in outside:
            properties = {"@type": "CreativeWork", "name": path, "identifier": identifier}
            outside[path] = _add(crate, f"#{path}", properties)
        return data.get(path) or outside[path]

    actions = []
    for made in productions:
        first = min(made.outputs)
        properties = {
            "@type": "CreateAction",
            "name": f"{made.rule}: {first}",
            "description": made.description,
            "instrument": software,
            "object": [entity(*item) for item in made.inputs.items()],
            "result": [entity(*item) for item in made.outputs.items()],
        }
        actions.append(_add(crate, f"#{made.rule}/{first}", properties))
    _describe_root(crate, run, date)
    crate.root_dataset["mentions"] = actions
    return json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False) + "\n"


def _add(crate: ROCrate, identifier: str, properties: Mapping[str, Any]) -> Entity:
    """Add an entity; those among the properties become references, and lists of one that one."""
    found = crate.add(ContextEntity(crate, identifier, {"@type": properties["@type"]}))
    for name, value in properties.items():
        if name != "@type" and value not in ("", []):
            found[name] = value[0] if isinstance(value, list) and len(value) == 1 else value
    return found


def _add_file(crate: ROCrate, name: str, file: ArchivedFile) -> Entity:
    properties = {
        "name": file.title,
        "encodingFormat": _FORMATS[Path(name).suffix],
        "contentSize": str(file.size),
        "sha256": file.sha256,
    }
    if file.identifier:
        properties["identifier"] = file.identifier
    return crate.add_file(dest_path=name, properties=properties)


def _add_software(crate: ROCrate, versions: Mapping[str, str]) -> Entity:
    """Add lagbias and the packages that it used."""

    def package(name: str, **more: Any) -> Entity:
        about = {"name": name, "softwareVersion": versions[name]}
        return _add(crate, f"#{name}", {"@type": "SoftwareApplication", **about, **more})

    return package(
        "lagbias",
        softwareRequirements=[
            package(name, url=f"https://pypi.org/project/{name}/")
            for name in sorted(versions)
            if name != "lagbias"
        ],
        license={"@id": _LICENCE},
        citation={"@id": _PAPER},
    )


def _describe_root(crate: ROCrate, run: str, date: str) -> None:
    """Describe the archive as a whole: run, licence, paper and profile."""
    profile = {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    licence = {
        "@type": "CreativeWork",
        "name": "GNU General Public License v3.0 or later",
        "identifier": "GPL-3.0-or-later",
    }
    paper = {
        "@type": "ScholarlyArticle",
        "name": "Non-parametric Lagrangian biasing from the insights of neural nets",
        "author": "Xiaohan Wu, Julian B. Muñoz and Daniel J. Eisenstein",
        "datePublished": "2023-05",
        "identifier": "arXiv:2212.08095",
    }
    developers = {"@type": "Organization", "name": "The lagbias developers"}
    root = crate.root_dataset
    root["name"] = f"lagbias run {run}"
    root["description"] = (
        f"What the figures and claims of the run {run} of lagbias are made from, and they "
        f"themselves: non-parametric Lagrangian halo bias with neural nets, after Wu, Muñoz & "
        f"Eisenstein 2023 (JCAP05(2023)040, arXiv:2212.08095). {layout.README} says how to use it."
    )
    root["datePublished"] = date
    root["author"] = _add(crate, "#developers", developers)
    root["license"] = _add(crate, _LICENCE, licence)
    root["citation"] = _add(crate, _PAPER, paper)
    root["conformsTo"] = _add(crate, _PROFILE, profile)
