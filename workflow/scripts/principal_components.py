"""Figure: f along the principal components of its gradient."""

from pathlib import Path

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.bias.components import ComponentSample
from lagbias.figures import common, principal_components
from lagbias.stages import job

with job.start(snakemake):
    path = snakemake.input[0]
    sample = ComponentSample(**artefacts.component_sample_of(path))
    name = store.read(path, "gradient_pca", []).attributes["smoothing_set"]
    label = common.set_label(name, snakemake.params.get("smoothing_sets"))
    figure = principal_components.draw(sample, label=label)
    common.save(figure, Path(snakemake.output[0]).with_suffix(""))
