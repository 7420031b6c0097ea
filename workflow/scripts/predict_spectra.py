"""Halo field of an ensemble on one box, and its spectra."""

from lagbias.stages import job
from lagbias.stages.predict_spectra import predict_spectra

with job.start(snakemake) as task:
    spectra, field = predict_spectra(
        task.input,
        inputs=task.params.input_map,
        eigenvalue_cut=task.params.eigenvalue_cut,
        device=task.params.device,
        threads=task.threads,
    )
    task.write(spectra, task.output.spectra)
    task.write(field, task.output.field)
