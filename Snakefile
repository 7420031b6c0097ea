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


from lagbias import gpu_presence, housekeeping, run_lock

# before a run: times that lie ahead are set right, and it is told who holds the lock, and once, before hours
# of simulation, if a GPU is missing; jobs parse this file too
RESULTS = Path("results", CONFIG.run)
NOTICES = []
if not workflow.output_settings.dryrun:
    NOTICES += [
        housekeeping.bring_back(RESULTS, Path(workflow.basedir, "workflow/scripts"))
    ]
if workflow.is_main_process:
    NOTICES += [gpu_presence.warning(CONFIG.training.device)]
if workflow.is_main_process and "--unlock" not in sys.argv:
    NOTICES += [run_lock.explain(str(RESULTS))]
for notice in filter(None, NOTICES):
    logger.warning(notice)


onstart:
    refuse_closed_places()
    try:
        run_lock.take(
            {str(file) for job in workflow.dag.jobs for file in job.output}
        )
    except run_lock.RunLocked as error:
        raise WorkflowError(str(error)) from None
    housekeeping.remove_leftovers(RESULTS)


onsuccess:
    run_lock.release()


onerror:
    run_lock.release()


localrules:
    all,


rule all:
    default_target: True
    input:
        all_figures(),
        all_tables(),
