"""Halo field of an ensemble on one box, and its spectra."""

from lagbias.stages import job
from lagbias.stages.predict_spectra import predict_spectra

with job.start(snakemake) as task:
    inputs, device = task.labels["inputs"], task.params.device
    spectra, field = predict_spectra(task.input, inputs=inputs, device=device, threads=task.threads)
    task.write(spectra, task.output.spectra)
    task.write(field, task.output.field)
