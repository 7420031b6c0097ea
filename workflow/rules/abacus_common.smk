# What the rules of AbacusSummit share: the boxes in use, what is to be downloaded, and the size of results.

from lagbias.sources.abacus.acquisition import results_bytes
from lagbias.sources.abacus.inventory import summary, take_inventory

WHICH_FILES = ("redshift", "density_grid", "cleaned", "small")
WHERE_FROM = ("directory", "base_url", "link_from", "verify")


def abacus_keys(*names):
    """Some keys of the section, so that others may change without reruns."""
    return {name: section("abacus")[name] for name in names}


def simulations():
    """Simulations of the boxes in use, by name of the box."""
    return {box: CONFIG.abacus.boxes[box] for box in CONFIG.box_names()}


def bytes_of_results():
    """Bytes that the large results of this run will take."""
    chosen, sets = CONFIG.figure_sets, CONFIG.smoothing_sets
    few = [chosen.single_scale, chosen.multi_scale]
    radii_of_boxes = {
        box: len(
            {
                radius
                for name in (sets if box in (TRAINING_BOX, VALIDATION_BOX) else few)
                for radius in sets[name]
            }
        )
        for box in CONFIG.box_names()
    }
    return results_bytes(
        CONFIG.abacus, CONFIG.abacus.particles_per_side, radii_of_boxes
    )


# jobs parse this file too; what will be done is reported once
if workflow.is_main_process:
    logger.info(summary(CONFIG.abacus, take_inventory(CONFIG.abacus, simulations())))
