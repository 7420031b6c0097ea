# What jobs ask of a batch system: memory, time and threads, from the size of the problem. Local runs use
# threads only. None of it is provenance: to ask for more makes nothing anew.

from math import ceil

# numbers that the sizes of arrays follow from
SIMULATED_PARTICLES = CONFIG.settings().particles_per_side ** 3
NODES = CONFIG.settings().density_grid ** 3
if CONFIG.source == "abacus":
    from lagbias.sources.abacus.acquisition import SUBSAMPLE_A

    KEPT = SUBSAMPLE_A * CONFIG.abacus.kept_fraction
else:
    KEPT = CONFIG.settings().kept_fraction
BOX_PARTICLES = KEPT * SIMULATED_PARTICLES
EVALUATION_CELLS = CONFIG.evaluation.grid**3
TRAINING_PARTICLES = CONFIG.training.subsample * BOX_PARTICLES
NETWORKS_AT_ONCE = min(
    CONFIG.training.networks_at_once(BOX_PARTICLES), len(CONFIG.seeds)
)
# half again what was measured, and as much more with every attempt after a failure
MARGIN = 1.5
# Snakemake, twice, around a job of a batch system [MB]
AROUND = 400
# starting Python, waiting for a file system, slower machines [min]
LEAST_MINUTES = 10
# of compiled loops over particles or nodes; fewer are done before more threads could help
PER_THREAD = 40_000_000


def needs(megabytes, seconds=0):
    """Memory and time of a job, for `resources`; either may be a function of the wildcards."""

    def value_of(estimate, wildcards):
        return estimate(wildcards) if callable(estimate) else estimate

    def mem_mb(wildcards, attempt):
        return ceil(attempt * (AROUND + MARGIN * value_of(megabytes, wildcards)))

    def runtime(wildcards, attempt):
        minutes = MARGIN * value_of(seconds, wildcards) / 60
        return ceil(attempt * max(LEAST_MINUTES, minutes))

    return {"mem_mb": mem_mb, "runtime": runtime}


def threads_for(size):
    """Threads of a job that loops over so many particles or nodes: 1 up to 8."""
    return min(8, 1 + int(size) // PER_THREAD)


def network_cost(inputs="full"):
    """Multiplications in a network, in units of those of the default one."""
    chosen = CONFIG.training_of(inputs)
    return (1 + chosen.hidden_layers) / 6 * max(1, chosen.width / 64) ** 2


def n_training_boxes(wildcards):
    """Number of boxes that train an ensemble together."""
    return len(CONFIG.training_boxes(wildcards.train_box, wildcards.inputs))


def particles_seen(wildcards):
    """Particles times passes in the training of one network of an ensemble."""
    training, boxes = CONFIG.training_of(wildcards.inputs), n_training_boxes(wildcards)
    epochs = 0 if CONFIG.starts_from(wildcards.inputs) else training.epochs
    # full-batch evaluations have two forward passes
    evaluations = 1.5 * training.EVALUATIONS_PER_ROUND * training.fourier_rounds
    passes = epochs * training.boxes_with_epochs(boxes) + evaluations * boxes
    return training.subsample * BOX_PARTICLES * passes


def n_radii(wildcards):
    """Number of smoothing radii of a job's set."""
    return len(CONFIG.smoothing_sets[wildcards.smoothing_set])


def evaluation(wildcards):
    """Memory [MB] in which an ensemble is evaluated at every particle of a box."""
    fields = (3 + len(CONFIG.seeds)) * EVALUATION_CELLS
    return 600 + 16e-6 * BOX_PARTICLES + 130 * n_radii(wildcards) + 4e-6 * fields


def subsamples(wildcards, count):
    """Memory [MB] of drawing so many sub-samples, with their inputs."""
    columns = 1 + 2 * n_radii(wildcards)
    return 800 + 20e-6 * BOX_PARTICLES + 8e-6 * count * columns * TRAINING_PARTICLES
