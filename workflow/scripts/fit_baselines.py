"""Models that networks are compared with, fitted to one or several boxes together."""

from lagbias.config.sections import LeastSquaresSettings, TrainingSettings
from lagbias.stages import job
from lagbias.stages.fit_baselines import fit_baselines
from lagbias.stages.training_boxes import training_boxes

with job.start(snakemake) as task:
    fitted = fit_baselines(
        training_boxes(task.input),
        task.settings(LeastSquaresSettings, "least_squares"),
        task.settings(TrainingSettings, "training"),
        rf=task.params.rf,
        seed=task.params.seed,
        threads=task.threads,
    )
    for name, baseline in fitted._asdict().items():
        task.write(baseline, task.output[name], inputs=name)
