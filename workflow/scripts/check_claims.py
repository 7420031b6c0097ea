"""The claims of the paper, tested on what the run has made."""

from lagbias import claims
from lagbias.claims import table
from lagbias.stages import job

with job.start(snakemake):
    roles = snakemake.params.roles
    verdicts = claims.check_all(claims.Evidence(list(snakemake.input), roles))
    table.write(
        verdicts,
        roles["run"],
        json_path=snakemake.output.json,
        markdown_path=snakemake.output.markdown,
        html_path=snakemake.output.html,
    )
