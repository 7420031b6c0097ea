"""What every workflow script does around its one library call.

`start` sets up the log, turns expected failures into one readable paragraph, and gives the script
a `Task` that reads artefacts, and writes them with their provenance. It takes the job object that
Snakemake hands to a script, of which it uses plain attributes only.
"""

import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lagbias.artefacts import provenance, store
from lagbias.artefacts.store import ArtefactError
from lagbias.sources.abacus.acquire.errors import AcquisitionError

__all__ = ["Task", "start"]

log = logging.getLogger(__name__)

#: What a user can mend; the message says how.
_EXPECTED = (ArtefactError, AcquisitionError, ValueError, ArithmeticError, MemoryError, OSError)


class Task:
    """One job of the workflow.

    Parameters
    ----------
    job
        Snakemake's job object: ``rule``, ``input``, ``output``, ``params``, ``threads``, ``log``.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If an input is no artefact, or does not belong where it is or to the others.
    """

    def __init__(self, job: Any):
        self.job = job
        artefacts = [path for path in job.input if str(path).endswith(".h5")]
        self._inputs = provenance.check_inputs(artefacts)

    def settings(self, name: str) -> SimpleNamespace:
        """Return the parameter `name`, a mapping, as an object with attributes."""
        return SimpleNamespace(**self.job.params[name])

    def write(
        self,
        path: str | Path,
        kind: str,
        datasets: Mapping[str, store.Dataset],
        attributes: Mapping | None = None,
        *,
        params: Mapping | None = None,
    ) -> None:
        """Write an artefact with this job's provenance (see `lagbias.artefacts.store.write`).

        `params` say all about the content, where given; else that depends on the job's parameters
        and the code.
        """
        code_counts = params is None
        if params is None:
            params = {key: value for key, value in self.job.params.items() if key != "code"}
        description = provenance.describe(
            self.job.rule,
            params={**params, **dict(self.job.wildcards.items())},
            inputs=self._inputs,
            code=self.job.params["code"],
            threads=self.job.threads,
            output=path,
            code_counts=code_counts,
        )
        store.write(path, kind, datasets, attributes=attributes, provenance=description)
        log.info("wrote %s", path)


@contextmanager
def start(job: Any) -> Iterator[Task]:
    """Run a script's work with logging and readable errors.

    Parameters
    ----------
    job
        Snakemake's job object.

    Yields
    ------
    Task
        The task.

    Raises
    ------
    SystemExit
        After a failure, whose message is in the log and on standard error.
    """
    _log_to(job.log[0] if job.log else None)
    try:
        yield Task(job)
    except _EXPECTED as error:
        log.error("%s failed. %s", job.rule, error or type(error).__name__)
        if job.log:
            # apart from the log, which Snakemake shows when a job fails
            with suppress(OSError):  # where there can be no log either
                Path(f"{job.log[0]}.traceback").write_text(traceback.format_exc(), "utf-8")
        sys.exit(1)
    except Exception:
        log.exception("%s failed unexpectedly.", job.rule)
        sys.exit(1)


def _log_to(path: str | None) -> None:
    """Log to standard error in brief and to a file in full."""
    root = logging.getLogger()
    root.setLevel(logging.WARNING)  # other packages report far more than a user wants to read
    logging.getLogger("lagbias").setLevel(logging.DEBUG)
    console = logging.StreamHandler()
    # a user at a terminal sees progress; a log file or a cluster's output only what went wrong
    console.setLevel(logging.INFO if sys.stderr.isatty() else logging.WARNING)
    console.setFormatter(logging.Formatter("%(message)s"))
    root.addHandler(console)
    if path:
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            file = logging.FileHandler(path, mode="w", encoding="utf-8")
        except OSError as error:
            log.warning("There will be no log of this job: %s. The work goes on.", error)
            return
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(file)
