"""The run's configuration as a page of the report."""

from lagbias import config, config_docs, job, store

with job.start(snakemake):
    page = config_docs.values_page(config.load(snakemake.params.configuration))
    store.write_text(snakemake.output[0], page)
