"""Figure: power of the model over that of the halos, on training and validation boxes."""

from pathlib import Path

from lagbias.figures import common, power_ratio_boxes
from lagbias.stages import job

with job.start(snakemake):
    panels = ("on_training_box", "on_validation_boxes", "by_training_box")
    curves = {name: list(map(common.load_spectra, snakemake.input[name])) for name in panels}
    common.save(power_ratio_boxes.draw(**curves), Path(snakemake.output[0]).with_suffix(""))
