"""Figure: validation loss and power ratio, before and after retraining."""

from pathlib import Path

from lagbias.figures import common, validation_loss_retrained
from lagbias.figures.histories import load_all_histories
from lagbias.stages import job

with job.start(snakemake):
    figure = validation_loss_retrained.draw(
        load_all_histories(snakemake.input.networks),
        list(map(common.load_spectra, snakemake.input.spectra)),
        smoothing_sets=snakemake.params.smoothing_sets,
    )
    common.save(figure, Path(snakemake.output[0]).with_suffix(""))
