# What the other rules share: the library, the checked configuration, the parts of it that rules are
# passed, and the hash of the code that a rule uses.

# The library beside this workflow, here and in jobs; the installed one where there is none.
LIBRARY = ROOT / "src"
VERSION = "0.1.0"  # of an installed library
if LIBRARY.is_dir():
    sys.path.insert(0, str(LIBRARY))
    search = [str(LIBRARY), *os.getenv("PYTHONPATH", "").split(os.pathsep)]
    os.environ.update(
        LAGBIAS_CHECKOUT=str(ROOT),
        PYTHONPATH=os.pathsep.join(dict.fromkeys(filter(None, search))),
    )
try:
    import lagbias
except ImportError:
    raise WorkflowError(
        f"The library lagbias is neither in {LIBRARY} nor installed. Use a whole checkout of the "
        f"repository, or install lagbias {VERSION} beside Snakemake."
    ) from None
if LIBRARY.is_dir() and not Path(lagbias.__file__).is_relative_to(LIBRARY):
    raise WorkflowError(
        f"The library lagbias was imported from {lagbias.__file__} before this workflow, which "
        f"needs the one in {LIBRARY}. Remove the earlier import, or use one checkout only."
    )
if not LIBRARY.is_dir() and lagbias.__version__ != VERSION:
    raise WorkflowError(
        f"lagbias {lagbias.__version__} is installed, in {lagbias.__file__}, and this workflow "
        f"needs {VERSION}. Install that version, or use a whole checkout of the repository."
    )

from lagbias.artefacts.code_hash import code_hash
from lagbias.artefacts.figure_files import Origin
from lagbias.config.model import ConfigError, format_radius, load

try:
    CONFIG = load(config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None


def any_of(names):
    """Write a regular expression that matches one of some names and nothing else."""
    return "|".join(map(re.escape, names))


wildcard_constraints:
    run=any_of([CONFIG.run]),
    box=any_of(CONFIG.box_names()),
    train_box=any_of(CONFIG.boxes.train),
    sample=any_of(CONFIG.halo_samples),
    smoothing_set=any_of(CONFIG.smoothing_sets),
    inputs=any_of(["full", "density", "nested", "cut", "pc2", *CONFIG.all_variants()]),
    rf=r"[0-9.]+",
    seed=r"[0-9]+",


def code(script, *modules):
    """Hash the library code that `workflow/scripts/<script>.py` and some modules use."""
    return code_hash(workflow.source_path(f"../scripts/{script}.py"), *modules)


def section(name, *parts):
    """Turn a section of the configuration, or a member of it, into plain values for `params`."""
    value = getattr(CONFIG, name)
    for part in parts:
        value = value[part]
    return value.model_dump()


def roles():
    """Which boxes, samples and sets play which part in the paper's claims."""
    return {
        "run": CONFIG.run,
        "train_boxes": CONFIG.boxes.train,
        "validation_boxes": CONFIG.boxes.validation,
        "sample": CONFIG.sample,
        "thin_samples": CONFIG.thin_samples,
        "epochs": CONFIG.training.epochs,
        "cell_size": CONFIG.training.cell_size,
        "constraint": CONFIG.training.constraint,
        "variants": {
            name: {"sets": variant.sets, "training": variant.overrides()}
            for name, variant in CONFIG.variants.items()
        },
        **CONFIG.figure_sets.model_dump(),
    }


# jobs parse this file too; what is missing is reported once, before hours of simulation
if workflow.is_main_process:
    from lagbias.runtime import gpu_presence

    if notice := gpu_presence.warning(CONFIG.training.device):
        logger.warning(notice)


def refuse_closed_places():
    """Stop before Snakemake removes old outputs if new ones cannot be written."""
    closed = [
        place
        for place in ("results", "logs", "benchmarks")
        if Path(place).exists() and not os.access(place, os.W_OK | os.X_OK)
    ]
    if closed:
        raise WorkflowError(
            f"{' and '.join(closed)} in {os.getcwd()} may not be written to. Nothing was done. "
            "Give yourself write permission, mount the file system for writing, or work in a copy "
            "elsewhere; then run the workflow again."
        )
