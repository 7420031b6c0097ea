"""Figure: f of halos in thin ranges of mass, along the principal components of its gradient."""

from pathlib import Path

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.bias.components import ComponentSample
from lagbias.figures import common, thin_mass_components
from lagbias.stages import job

with job.start(snakemake):
    samples = {
        store.read(path, "gradient_pca", []).attributes["sample"]: ComponentSample(
            **artefacts.component_sample_of(path)
        )
        for path in snakemake.input
    }
    limits = snakemake.params.samples
    labels = {name: common.sample_label(**limits[name]) for name in samples}
    figure = thin_mass_components.draw(samples, labels)
    common.save(figure, Path(snakemake.output[0]).with_suffix(""))
