"""The files of one AbacusSummit box: linked or downloaded, and verified."""

from lagbias.artefacts import kinds as artefacts
from lagbias.sources.abacus import acquisition as abacus_acquire
from lagbias.stages import job

with job.start(snakemake) as task:
    settings = task.settings("abacus")
    files = abacus_acquire.bring_box(settings, snakemake.params.simulation)
    packed = artefacts.box_files(files)
    attributes = {"directory": settings.directory, "simulation": snakemake.params.simulation}
    # what the files hold identifies them, not where they are or came from
    identity = {str(path): [held.crc, held.size] for path, held in files.items()}
    task.write(snakemake.output[0], "box_files", packed, attributes, params=identity)
