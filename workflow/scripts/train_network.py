"""One network: its sub-sample of particles, its inputs, and its training."""

from pathlib import Path

from lagbias.config.sections import TrainingSettings
from lagbias.runtime import termination
from lagbias.stages import job
from lagbias.stages.train_network import train_network

with job.start(snakemake) as task, termination.as_exception():
    checkpoint = Path(f"{task.output[0]}.checkpoint")
    network = train_network(
        task.input,
        task.settings(TrainingSettings, "training"),
        inputs=task.labels["inputs"],
        seed=task.params.seed,
        threads=task.threads,
        checkpoint=checkpoint,
    )
    task.write(network, validation_box=task.params.validation_box)
    checkpoint.unlink(missing_ok=True)
