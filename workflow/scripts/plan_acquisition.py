"""What will be downloaded, and whether there is room for it and for the results."""

from pathlib import Path

from lagbias.artefacts import store
from lagbias.sources.abacus import acquisition as abacus_acquire
from lagbias.sources.abacus.acquire.places import check_space
from lagbias.stages import job

with job.start(snakemake) as task:
    settings = task.settings("abacus")
    found = abacus_acquire.inventory(settings, snakemake.params.simulations)
    downloads = found.bytes_to_fetch if settings.link_from is None else 0
    results = Path("results", snakemake.wildcards.run)
    there = sum(path.stat().st_size for path in results.rglob("*.h5"))
    missing = max(snakemake.params.results - there, 0)
    check_space({settings.directory: downloads, results: missing})
    store.write_text(snakemake.output[0], abacus_acquire.plan(settings, found) + "\n")
