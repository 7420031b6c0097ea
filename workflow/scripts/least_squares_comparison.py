"""Figure: f and model power, least squares against networks."""

from pathlib import Path

from lagbias.artefacts import kinds as artefacts
from lagbias.figures import common
from lagbias.figures.least_squares_comparison import BinnedF, draw
from lagbias.stages import job


def binned_f(path, kind):
    """Read the f of the least squares or of the networks."""
    arrays = artefacts.binned_bias_of(path, kind)
    return BinnedF(**{name: arrays[name] for name in BinnedF.__dataclass_fields__})


with job.start(snakemake):
    figure = draw(
        binned_f(snakemake.input.least_squares, "least_squares"),
        binned_f(snakemake.input.networks_binned, "binned_f"),
        common.load_spectra(snakemake.input.spectra_least_squares),
        common.load_spectra(snakemake.input.spectra_networks),
    )
    common.save(figure, Path(snakemake.output[0]).with_suffix(""))
