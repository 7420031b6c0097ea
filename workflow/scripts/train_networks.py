"""The networks of an ensemble: sub-samples of particles, inputs, and trainings."""

from lagbias.config.sections import TrainingSettings
from lagbias.runtime import termination
from lagbias.stages import job
from lagbias.stages.train_networks import remove_checkpoints, train_networks

with job.start(snakemake) as task, termination.as_exception():
    train_networks(
        task.input,
        task.settings(TrainingSettings, "training"),
        inputs=task.params.input_map,
        eigenvalue_cut=task.params.eigenvalue_cut,
        outputs=task.outdated(),
        threads=task.threads,
        write=lambda network, path: task.write(
            network, path, seed=network.seed, validation_box=task.params.validation_box
        ),
    )
    remove_checkpoints(task.output)
