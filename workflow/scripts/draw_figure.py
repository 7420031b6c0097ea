"""Any figure: its module loads artefacts and draws them."""

from pathlib import Path

from lagbias.stages import job
from lagbias.stages.draw_figure import draw_figure

with job.start(snakemake) as task:
    stem = Path(task.output[0]).with_suffix("")
    inputs = dict(task.input.items())
    draw_figure(task.params.figure, inputs, task.params.settings, stem, task.describe())
