# Boxes of AbacusSummit: their files are linked or downloaded, verified, and read. The files are no
# outputs of rules, because Snakemake deletes those of a job that fails, and a download goes on where
# it was cut.


include: "abacus_common.smk"


rule inventory:
    log:
        f"logs/{CONFIG.run}/inventory.log",
    conda:
        "../../environment.yml"
    params:
        abacus=section("abacus"),
        simulations=simulations(),
        results=results_bytes(),
        batch=f"results/{CONFIG.run}/globus_batch.txt",
    message:
        "taking stock of the files of {CONFIG.run}"
    script:
        "../scripts/inventory.py"


rule plan_acquisition:
    output:
        "results/{run}/boxes/plan.txt",
    log:
        "logs/{run}/plan_acquisition.log",
    conda:
        "../../environment.yml"
    params:
        abacus=abacus_keys(*WHICH_FILES, *WHERE_FROM),
        simulations=simulations(),
        results=results_bytes(),
    message:
        "checking that there is room for {CONFIG.run}"
    script:
        "../scripts/plan_acquisition.py"


rule acquire_box:
    input:
        "results/{run}/boxes/plan.txt",
    output:
        "results/{run}/boxes/{box}/files.h5",
    log:
        "logs/{run}/acquire_box/{box}.log",
    benchmark:
        "benchmarks/{run}/acquire_box/{box}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("acquire_box"),
        abacus=abacus_keys(*WHICH_FILES, *WHERE_FROM),
        simulation=lambda wildcards: CONFIG.abacus.boxes[wildcards.box],
    message:
        "getting the files of {wildcards.box}"
    script:
        "../scripts/acquire_box.py"


rule read_box:
    input:
        # files that were moved or verified again are not read again
        ancient("results/{run}/boxes/{box}/files.h5"),
    output:
        linear_density="results/{run}/boxes/{box}/linear_density.h5",
        particles="results/{run}/boxes/{box}/particles.h5",
        halos="results/{run}/boxes/{box}/halos.h5",
    log:
        "logs/{run}/read_box/{box}.log",
    benchmark:
        "benchmarks/{run}/read_box/{box}.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        # particles twice while they are sorted, the density, and one unpacked file
        mem_mb=lambda wildcards, attempt: int(
            attempt
            * (
                1000
                + 2e-6 * CONFIG.abacus.particles_per_side**3
                + 2e-5 * CONFIG.abacus.density_grid**3
            )
        ),
        runtime=lambda wildcards, attempt: attempt * 60,
    params:
        code=code("read_box"),
        abacus=abacus_keys(
            *WHICH_FILES, "box_size", "particles_per_side", "min_halo_particles"
        ),
        simulation=lambda wildcards: CONFIG.abacus.boxes[wildcards.box],
    message:
        "reading {wildcards.box}"
    script:
        "../scripts/read_box.py"
