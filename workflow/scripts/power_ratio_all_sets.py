"""Figure: power ratio and correlation with the halos for every smoothing set."""

from pathlib import Path

from lagbias.figures import common, power_ratio_all_sets
from lagbias.stages import job

with job.start(snakemake):
    curves = list(map(common.load_spectra, snakemake.input))
    figure = power_ratio_all_sets.draw(curves, smoothing_sets=snakemake.params.smoothing_sets)
    common.save(figure, Path(snakemake.output[0]).with_suffix(""))
