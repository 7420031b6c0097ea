"""Figure: f along the principal components of its gradient."""

from pathlib import Path

from lagbias import artefacts, job, store
from lagbias.figures import common, principal_components
from lagbias.gradient_pca import ComponentSample

with job.start(snakemake):
    path = snakemake.input[0]
    sample = ComponentSample(**artefacts.component_sample_of(path))
    name = store.read(path, "gradient_pca", []).attributes["smoothing_set"]
    label = common.set_label(name, snakemake.params.get("smoothing_sets"))
    figure = principal_components.draw(sample, label=label)
    common.save(figure, Path(snakemake.output[0]).with_suffix(""))
