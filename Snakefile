# Neural Lagrangian bias, after Wu, Muñoz & Eisenstein 2023 (JCAP05(2023)040).
#
#   snakemake --cores N                                     every figure of the default run
#   snakemake --cores N --configfile config/tiny.yaml       a run of minutes
#   snakemake --cores N -n                                  what would be done
#   snakemake --report report.html                          figures, captions, run times

from snakemake.logging import logger
from snakemake.utils import min_version

min_version("9.20")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/paths.smk"
include: "workflow/rules/resources.smk"
include: f"workflow/rules/{CONFIG.source}.smk"
include: "workflow/rules/boxes.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/networks.smk"
include: "workflow/rules/spectra.smk"
include: "workflow/rules/least_squares.smk"
include: "workflow/rules/components.smk"
include: "workflow/rules/figures_method.smk"
include: "workflow/rules/figures_spectra.smk"
include: "workflow/rules/figures_components.smk"
include: "workflow/rules/figures_losses.smk"
include: "workflow/rules/claims.smk"


from lagbias.runtime import gpu_presence

# jobs parse this file too; what is missing is said once, before hours of simulation
if workflow.is_main_process and (
    notice := gpu_presence.warning(CONFIG.training.device)
):
    logger.warning(notice)


onstart:
    refuse_closed_places()


localrules:
    all,


rule all:
    default_target: True
    input:
        all_figures(),
        all_tables(),
