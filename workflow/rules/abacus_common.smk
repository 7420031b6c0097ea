# What the rules of AbacusSummit share: the boxes in use, what is to be got, and room for results.

from lagbias.sources.abacus import acquisition as abacus_acquire

WHICH_FILES = ("redshift", "density_grid", "cleaned", "small")
WHERE_FROM = ("directory", "base_url", "link_from", "verify")


def abacus_keys(*names):
    """Some keys of the section, so that others may change without reruns."""
    return {name: section("abacus")[name] for name in names}


def simulations():
    """Simulations of the boxes in use, by name of the box."""
    return {box: CONFIG.abacus.boxes[box] for box in CONFIG.box_names()}


def results_bytes():
    """Bytes that the large results of this run will take."""
    chosen, sets = CONFIG.figure_sets, CONFIG.smoothing_sets
    every = list(sets)
    few = [chosen.single_scale, chosen.multi_scale]
    radii = {
        box: len(
            {
                radius
                for name in (every if box in (TRAINING_BOX, VALIDATION_BOX) else few)
                for radius in sets[name]
            }
        )
        for box in CONFIG.box_names()
    }
    return abacus_acquire.results_bytes(
        CONFIG.abacus, CONFIG.abacus.particles_per_side, radii
    )


# jobs parse this file too; what will be done is said once
if workflow.is_main_process:
    logger.info(
        abacus_acquire.plan(
            CONFIG.abacus, abacus_acquire.inventory(CONFIG.abacus, simulations())
        )
    )
