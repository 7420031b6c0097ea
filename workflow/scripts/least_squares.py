"""The least-squares f of Paper I, one table for each network's sub-sample of particles."""

from lagbias.config.sections import LeastSquaresSettings, TrainingSettings
from lagbias.stages import job
from lagbias.stages.least_squares import least_squares

with job.start(snakemake) as task:
    fitted = least_squares(
        task.input.particles,
        task.input.features,
        task.input.halo_fields,
        task.settings(LeastSquaresSettings, "least_squares"),
        task.settings(TrainingSettings, "training"),
        seeds=task.params.seeds,
    )
    task.write(fitted)
