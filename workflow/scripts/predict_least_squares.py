"""Halo field of the least-squares f on one box, and its spectra."""

from lagbias.stages import job
from lagbias.stages.predict_least_squares import predict_least_squares

with job.start(snakemake) as task:
    spectra = predict_least_squares(task.input, threads=task.threads)
    task.write(spectra, inputs="least_squares")
