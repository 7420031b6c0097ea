"""Figure: power of the model over that of the halos, before and after retraining."""

from pathlib import Path

from lagbias.figures import common, power_ratio_retrained
from lagbias.stages import job

with job.start(snakemake):
    curves = {
        name: list(map(common.load_spectra, snakemake.input[name]))
        for name in ("original", "retrained")
    }
    figure = power_ratio_retrained.draw(**curves, smoothing_sets=snakemake.params.smoothing_sets)
    common.save(figure, Path(snakemake.output[0]).with_suffix(""))
