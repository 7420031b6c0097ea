"""Logging, readable errors and provenance around the one call of a workflow script."""

import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lagbias.artefacts import provenance, store
from lagbias.schema import fields

__all__ = ["Task", "start"]

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from pydantic import BaseModel

_Settings = TypeVar("_Settings", bound="BaseModel")

#: Errors that a user can fix; their message says how.
_EXPECTED = (store.ArtefactError, ValueError, ArithmeticError, MemoryError, OSError)


class Task:
    """One job of the workflow, from Snakemake's job object; its inputs are checked."""

    def __init__(self, job: Any):
        self.input, self.output, self.params = job.input, job.output, job.params
        self.threads = job.threads
        self.labels = dict(job.wildcards.items())
        self._rule, self._configuration = job.rule, job.config
        foreign = getattr(job.input, "data", ())  # files that no rule made
        artefacts = [p for p in job.input if str(p).endswith(".h5") and p not in foreign]
        self._inputs = provenance.check_inputs(artefacts)

    def settings(self, model: type[_Settings], name: str) -> _Settings:
        """Return the section of the configuration that the rule passes as ``params[name]``.

        Other keys have their default or raise AttributeError: an edit of them would not rerun the
        job.
        """
        return model.model_construct(**self.params[name])

    def write(
        self,
        thing: Any,
        path: str | Path | None = None,
        *,
        identity: Mapping | None = None,
        **labels: str | int,
    ) -> None:
        """Write an artefact with this job's provenance and labels, by default to the first output.

        The fields of `thing` that are labels or the seed are set from the job's wildcards and
        `labels`; the wildcard ``box`` of an ensemble that was trained on another is its target box.
        `identity` identifies the content by itself; parameters and code otherwise.
        """
        named = {**self.labels, "target_box": self.labels.get("box", ""), **labels}
        declared = fields.specs(type(thing))
        known = {k: v for k, v in named.items() if k in declared and declared[k].role == "label"}
        if "seed" in declared and "seed" in labels:
            known["seed"] = labels["seed"]
        path = self.output[0] if path is None else path
        description = self._describe(path, labels, identity)
        store.write(path, replace(thing, **known), provenance=description)
        log.info("wrote %s", path)

    def describe(self) -> dict:
        """Return the provenance of the first output, of a job that writes no artefact.

        It holds the whole configuration and the commit of the code beside what artefacts record.
        """
        description = self._describe(self.output[0], {})
        return description | {"configuration": self._configuration, "commit": provenance.commit()}

    def outdated(self) -> dict[int, str]:
        """Return the outputs ``seed<k>.h5`` that this job has to write, by their seeds.

        The others hold what it would write: same parameters, code and inputs.
        """
        seeds = {int(Path(path).stem.removeprefix("seed")): path for path in self.output}
        return {seed: path for seed, path in seeds.items() if not self._is_current(seed, path)}

    def _is_current(self, seed: int, path: str) -> bool:
        try:
            found = store.header(path).provenance
        except store.ArtefactError:
            return False
        return found.get("artefact_id") == self._describe(path, {"seed": seed})["artefact_id"]

    def _describe(self, path: str | Path, labels: Mapping, identity: Mapping | None = None) -> dict:
        """Return the provenance of an output.

        An ensemble's networks differ in the label seed, and of input networks each depends on that
        of its seed.
        """
        others = {Path(each).name for each in self.output} - {Path(path).name}
        of_others = others if "seed" in labels else ()
        inputs = {k: v for k, v in self._inputs.items() if Path(k).name not in of_others}
        unrecorded = ("code", "origin")
        params = {key: value for key, value in self.params.items() if key not in unrecorded}
        return provenance.describe(
            self._rule,
            params={**(params if identity is None else identity), **self.labels, **labels},
            inputs=inputs,
            code=self.params["code"],
            threads=self.threads,
            output=path,
            code_counts=identity is None,
        )


@contextmanager
def start(job: Any) -> Iterator[Task]:
    """Run a script's work with logging and readable errors; exit with 1 after a failure."""
    _log_to(job.log[0] if job.log else None)
    try:
        yield Task(job)
    except _EXPECTED as error:
        log.error("%s failed. %s", job.rule, error or type(error).__name__)
        if job.log:  # apart from the log, which Snakemake prints when a job fails
            with suppress(OSError):
                Path(f"{job.log[0]}.traceback").write_text(traceback.format_exc(), "utf-8")
        sys.exit(1)
    except Exception:
        log.exception("%s failed unexpectedly.", job.rule)
        sys.exit(1)


def _log_to(path: str | None) -> None:
    """Log in full to a file, and in brief to standard error."""
    root = logging.getLogger()
    root.setLevel(logging.WARNING)  # of other packages
    logging.getLogger("lagbias").setLevel(logging.DEBUG)
    console = logging.StreamHandler()
    # progress on a terminal; warnings and errors only in log files of a cluster
    console.setLevel(logging.INFO if sys.stderr.isatty() else logging.WARNING)
    console.setFormatter(logging.Formatter("%(message)s"))
    root.addHandler(console)
    if path:
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            file = logging.FileHandler(path, mode="w", encoding="utf-8")
        except OSError as error:
            log.warning("This job has no log file: %s.", error)
            return
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(file)
