"""Figure: coefficients of the first principal component at every smoothing radius."""

from pathlib import Path

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.bias.components import GradientPCA
from lagbias.figures import common, component_coefficients
from lagbias.stages import job

with job.start(snakemake):
    pcas = {
        store.read(path, "gradient_pca", []).attributes["smoothing_set"]: GradientPCA(
            **artefacts.gradient_pca_of(path)
        )
        for path in snakemake.input
    }
    figure = component_coefficients.draw(pcas)
    common.save(figure, Path(snakemake.output[0]).with_suffix(""))
