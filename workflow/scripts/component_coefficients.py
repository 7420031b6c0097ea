"""Figure: coefficients of the first principal component at every smoothing radius."""

from pathlib import Path

from lagbias import artefacts, job, store
from lagbias.figures import common, component_coefficients
from lagbias.gradient_pca import GradientPCA

with job.start(snakemake):
    pcas = {
        store.read(path, "gradient_pca", []).attributes["smoothing_set"]: GradientPCA(
            **artefacts.gradient_pca_of(path)
        )
        for path in snakemake.input
    }
    figure = component_coefficients.draw(pcas)
    common.save(figure, Path(snakemake.output[0]).with_suffix(""))
