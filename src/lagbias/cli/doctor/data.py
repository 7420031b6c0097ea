"""The data that a configuration names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from lagbias.cli.doctor.finding import Finding, Mark

if TYPE_CHECKING:
    from lagbias.config.model import Config

__all__ = ["Data", "judge", "measure"]


@dataclass(frozen=True)
class Data:
    """Where a run gets its boxes.

    Attributes
    ----------
    source : str
        The source of the configuration.
    directories : dict of str to str
        Directories, by the keys of the configuration.
    files : tuple of str
        Files of the user.
    missing : tuple of str
        Directories and files among these that do not exist.
    """

    source: str
    directories: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def measure(config: Config) -> Data:
    """Look for the directories and files of a configuration."""
    directories: dict[str, str] = {}
    files: list[str] = []
    if config.abacus is not None and config.source == "abacus":
        directories["abacus.directory"] = config.abacus.directory
        if config.abacus.link_from is not None:
            directories["abacus.link_from"] = config.abacus.link_from
    elif config.files is not None and config.source == "files":
        named = [config.files.input_files(box) for box in config.box_names()]
        files = list(dict.fromkeys(chain.from_iterable(named)))
    missing = [place for place in directories.values() if not Path(place).is_dir()]
    missing += [file for file in files if not Path(file).is_file()]
    return Data(config.source, directories, tuple(files), tuple(missing))


def judge(facts: Data) -> Iterator[Finding]:
    """Judge whether data are there, or can be got."""
    if facts.source == "embedded":
        yield Finding(Mark.OK, "data", "none needed; the run makes its own boxes")
    if facts.source == "abacus":
        yield from _judge_abacus(facts)
    if facts.files and not facts.missing:
        yield Finding(Mark.OK, "data", f"{len(facts.files)} files exist; lagbias check reads them")
    elif facts.files:
        yield Finding(
            Mark.PROBLEM,
            "data",
            f"{len(facts.missing)} of {len(facts.files)} files do not exist, first "
            f"{facts.missing[0]}",
            "the workflow does not start",
            f"Correct their names in the section {facts.source}.",
        )


def _judge_abacus(facts: Data) -> Iterator[Finding]:
    for key, place in facts.directories.items():
        if place not in facts.missing:
            yield Finding(Mark.OK, "data", f"{key} = {place} exists")
        elif key == "abacus.link_from":
            yield Finding(
                Mark.PROBLEM,
                "data",
                f"{key} = {place} does not exist",
                "the boxes cannot be linked",
                "Correct it, or set it to null to download 3.7 GB a box.",
            )
        elif "abacus.link_from" in facts.directories:
            yield Finding(Mark.OK, "data", f"{key} = {place} will be made, with links")
        else:
            yield Finding(
                Mark.NOTE,
                "data",
                f"{key} = {place} does not exist",
                "it will be made, and 3.7 GB a box are downloaded",
                "Set abacus.link_from if there is a copy (docs/how-to/abacussummit.md).",
            )
