"""The archive of a run: what its figures and claims are made from, and they themselves."""

from pathlib import Path

from lagbias.stages import job
from lagbias.stages.write_archive import write_archive

with job.start(snakemake) as task:
    write_archive(
        task.output[0],
        task.params.made,
        task.params.left_out,
        directory=Path(task.output[0]).with_suffix(""),
        configuration=task.params.configuration,
    )
