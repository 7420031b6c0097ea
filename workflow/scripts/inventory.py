"""Which files of AbacusSummit are here, missing or corrupt, and what would be done about them."""

import sys

from lagbias.artefacts import store
from lagbias.sources.abacus import acquisition as abacus_acquire
from lagbias.sources.abacus.acquire.places import format_bytes
from lagbias.sources.abacus.acquire.report import as_table
from lagbias.stages import job

with job.start(snakemake) as task:
    settings, batch = task.settings("abacus"), snakemake.params.batch
    found = abacus_acquire.inventory(settings, snakemake.params.simulations, verify=True)
    lines = [as_table(found)]
    lines.append(f"Results will take about {format_bytes(snakemake.params.results)} more.")
    if wanted := abacus_acquire.globus_batch(found):
        store.write_text(batch, wanted)
        collection = settings.globus_collection or "COLLECTION"
        lines.append(
            f"What is missing is listed in {batch}, for `globus transfer --batch {batch} "
            f"{collection}:/PATH YOUR_COLLECTION:/PATH`, both the root of the tree."
        )
    sys.stdout.write("\n".join(lines) + "\n")
