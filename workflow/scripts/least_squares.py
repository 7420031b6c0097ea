"""The least-squares f of Paper I, one table for each network's sub-sample of particles."""

from lagbias.config.sections import LeastSquaresSettings, TrainingSettings
from lagbias.stages import job
from lagbias.stages.least_squares import least_squares
from lagbias.stages.training_boxes import training_boxes

with job.start(snakemake) as task:
    (box,) = training_boxes(task.input)
    fitted = least_squares(
        box,
        task.settings(LeastSquaresSettings, "least_squares"),
        task.settings(TrainingSettings, "training"),
        seeds=task.params.seeds,
    )
    task.write(fitted)
