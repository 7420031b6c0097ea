"""One box of AbacusSummit, as every source gives it."""

from lagbias.artefacts import kinds as artefacts
from lagbias.artefacts import store
from lagbias.sources import base
from lagbias.sources.abacus import read as abacus
from lagbias.sources.abacus.paths import find_box
from lagbias.stages import job

with job.start(snakemake) as task:
    settings = task.settings("abacus")
    directory = store.read(snakemake.input[0], "box_files", ()).attributes["directory"]
    files = find_box(
        directory,
        snakemake.params.simulation,
        settings.redshift,
        n_ic=settings.density_grid,
        cleaned=settings.cleaned,
        small=settings.small,
    )
    box = abacus.read_box(
        files,
        redshift=settings.redshift,
        min_halo_particles=settings.min_halo_particles,
        threads=snakemake.threads,
    )
    abacus.check_sizes(box, settings)
    base.check_contract(box)
    if settings.box_size >= base.SMALLEST_ALIGNED:
        base.check_alignment(box)
    for kind in ("linear_density", "particles", "halos"):
        datasets = getattr(artefacts, kind)(box)
        task.write(snakemake.output[kind], kind, datasets, box.attributes)
