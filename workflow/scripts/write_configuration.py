"""The run's configuration as a page of the report."""

from lagbias.artefacts import store
from lagbias.config import docs as config_docs
from lagbias.config import model as config
from lagbias.stages import job

with job.start(snakemake):
    page = config_docs.values_page(config.load(snakemake.params.configuration))
    store.write_text(snakemake.output[0], page)
