"""Figure: power of the model over that of the halos, for coarse and for fine smoothing sets."""

from pathlib import Path

from lagbias.figures import common, power_ratio_smoothing_sets
from lagbias.stages import job

with job.start(snakemake):
    curves = {
        name: list(map(common.load_spectra, snakemake.input[name])) for name in ("coarse", "fine")
    }
    figure = power_ratio_smoothing_sets.draw(
        **curves, smoothing_sets=snakemake.params.smoothing_sets
    )
    common.save(figure, Path(snakemake.output[0]).with_suffix(""))
