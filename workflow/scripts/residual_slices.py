"""Figure: slices of the halo field, of what the networks miss, and of how the sets differ."""

from pathlib import Path

from lagbias.artefacts import store
from lagbias.figures import common, residual_slices
from lagbias.stages import job

with job.start(snakemake):
    halo_fields = store.read(snakemake.input.halo_fields, "halo_fields", ["training"])
    fields = [store.read(path, "model_field", ["average"]) for path in snakemake.input.model_fields]
    reference, *others = (
        residual_slices.Field(field.attributes["smoothing_set"], field["average"])
        for field in fields
    )
    figure = residual_slices.draw(
        halo_fields["training"],
        reference,
        others,
        box_size=halo_fields.attributes["box_size"],
    )
    common.save(figure, Path(snakemake.output[0]).with_suffix(""))
