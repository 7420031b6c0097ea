"""Field and spectra of an ensemble on one box, with transfer functions."""

from lagbias.schema.labels import WITH_TRANSFER
from lagbias.stages import job
from lagbias.stages.apply_transfer import apply_transfer

with job.start(snakemake) as task:
    spectra, field = apply_transfer(
        task.input.fitted_to, task.input.spectra, task.input.field, threads=task.threads
    )
    inputs = task.labels["networks"] + WITH_TRANSFER
    task.write(spectra, task.output.spectra, inputs=inputs)
    task.write(field, task.output.field, inputs=inputs)
