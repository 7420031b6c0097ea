"""Halo field of an ensemble on one box in redshift space, and its multipoles."""

from lagbias.config.sections import HaloSample
from lagbias.stages import job
from lagbias.stages.predict_multipoles import predict_multipoles

with job.start(snakemake) as task:
    multipoles = predict_multipoles(
        task.input,
        sample=HaloSample.model_validate(task.params.sample),
        inputs=task.params.input_map,
        eigenvalue_cut=task.params.eigenvalue_cut,
        evaluation_grid=task.params.evaluation_grid,
        device=task.params.device,
        threads=task.threads,
    )
    task.write(multipoles)
