"""Python, lagbias, and the packages that it needs."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lagbias.cli.doctor.finding import Finding, Mark

__all__ = ["Packages", "judge", "measure"]

#: The extra whose absence is noted: without it there is only the library.
_WORKFLOW = "workflow"


@dataclass(frozen=True)
class Packages:
    """What is installed, and what the metadata of lagbias ask for.

    Attributes
    ----------
    python, lagbias : str
        Versions; that of lagbias is empty if it is not installed.
    requires_python : str
        Such as ``">=3.11"``.
    requirements : tuple of str
        Of lagbias and of its extras, such as ``"numpy>=2.1"``.
    installed : dict of str to str
        Versions of those that are, by name.
    """

    python: str
    lagbias: str
    requires_python: str
    requirements: tuple[str, ...]
    installed: dict[str, str]


def measure() -> Packages:
    """Look up versions; nothing is imported."""
    try:
        own = metadata.metadata("lagbias")
    except metadata.PackageNotFoundError:
        return Packages(platform.python_version(), "", "", (), {})
    requirements = tuple(metadata.requires("lagbias") or ())
    installed = {}
    for name in {Requirement(text).name for text in requirements}:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return Packages(
        platform.python_version(), own["Version"], own["Requires-Python"], requirements, installed
    )


def judge(facts: Packages) -> Iterator[Finding]:
    """Compare versions with requirements."""
    if not facts.lagbias:
        yield Finding(
            Mark.NOTE,
            "lagbias",
            f"used from a source tree, with Python {facts.python}",
            "the packages that it needs are unknown",
            "Install it: make setup, or pip install --editable .",
        )
        return
    if facts.python in SpecifierSet(facts.requires_python):
        yield Finding(Mark.OK, "lagbias", f"{facts.lagbias} with Python {facts.python}")
    else:
        yield Finding(
            Mark.PROBLEM,
            "Python",
            f"{facts.python}, but lagbias {facts.lagbias} needs {facts.requires_python}",
            "it may fail anywhere",
            "Make an environment with another Python: make setup PYTHON=/path/to/python3.",
        )
    fits = []
    for requirement in map(Requirement, facts.requirements):
        if _applies(requirement, ""):
            finding = _compare(requirement, facts.installed.get(requirement.name))
            if finding is None:
                fits.append(f"{requirement.name} {facts.installed[requirement.name]}")
            else:
                yield finding
    if fits:
        yield Finding(Mark.OK, "packages", f"as required: {', '.join(sorted(fits))}")
    yield from _judge_workflow(facts)


def _judge_workflow(facts: Packages) -> Iterator[Finding]:
    needed = [r for r in map(Requirement, facts.requirements) if _applies(r, _WORKFLOW)]
    if missing := sorted(r.name for r in needed if r.name not in facts.installed):
        yield Finding(
            Mark.NOTE,
            "Snakemake",
            f"{', '.join(missing)} not installed",
            "the library works, the workflow does not run",
            f"Run pip install 'lagbias[{_WORKFLOW}]'.",
        )
        return
    wrong = [found for r in needed if (found := _compare(r, facts.installed[r.name]))]
    yield from wrong
    if needed and not wrong:
        versions = ", ".join(f"{r.name} {facts.installed[r.name]}" for r in needed)
        yield Finding(Mark.OK, "Snakemake", versions)


def _applies(requirement: Requirement, extra: str) -> bool:
    """Tell whether a requirement is one of lagbias itself, or else only of an extra."""
    marker = requirement.marker
    if marker is None:
        return not extra
    alone = marker.evaluate({"extra": ""})
    if not extra:
        return alone
    return not alone and marker.evaluate({"extra": extra})


def _compare(requirement: Requirement, version: str | None) -> Finding | None:
    """Return what is wrong with an installed version."""
    name, needed = requirement.name, f"{requirement.name}{requirement.specifier}"
    if version is None:
        what, cost = "not installed", "whatever uses it fails"
    elif requirement.specifier.contains(version, prereleases=True):
        return None
    else:
        what, cost = f"{version} installed, {requirement.specifier} needed", "results are untested"
    return Finding(Mark.PROBLEM, name, what, cost, f"Run pip install '{needed}'.")
