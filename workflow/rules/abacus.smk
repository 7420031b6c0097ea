# Boxes of AbacusSummit: their files are linked or downloaded, verified, and read. The files are not
# outputs of rules, because Snakemake deletes those of a job that fails, and an interrupted download
# is resumed.


include: "abacus_common.smk"


rule inventory:
    log:
        f"logs/{CONFIG.run}/inventory.log",
    localrule: True
    params:
        abacus=section("abacus"),
        simulations=simulations(),
        results=bytes_of_results(),
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
    localrule: True
    resources:
        **needs(200),
    params:
        abacus=abacus_keys(*WHICH_FILES, *WHERE_FROM),
        simulations=simulations(),
        results=bytes_of_results(),
    message:
        "checking that there is room for {CONFIG.run}"
    script:
        "../scripts/plan_acquisition.py"


rule acquire_box:
    input:
        "results/{run}/boxes/plan.txt",
    output:
        pattern("files"),
    log:
        "logs/{run}/acquire_box/{box}.log",
    benchmark:
        "benchmarks/{run}/acquire_box/{box}.tsv"
    resources:
        # 3.7 GB over a slow line
        **needs(200, seconds=6 * 3600),
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
        ancient(pattern("files")),
    output:
        linear_density=pattern("linear_density"),
        particles=pattern("particles"),
        halos=pattern("halos"),
    log:
        "logs/{run}/read_box/{box}.log",
    benchmark:
        "benchmarks/{run}/read_box/{box}.tsv"
    threads: 2
    resources:
        # particles, one vector of them twice while they are sorted, the density, and one unpacked file
        **needs(
            megabytes=400 + 52e-6 * BOX_PARTICLES + 24e-6 * NODES,
            seconds=1e-6 * BOX_PARTICLES,
        ),
    params:
        code=code("read_box"),
        abacus=abacus_keys(
            *WHICH_FILES,
            "box_size",
            "particles_per_side",
            "min_halo_particles",
            "kept_fraction",
        ),
        simulation=lambda wildcards: CONFIG.abacus.boxes[wildcards.box],
    message:
        "reading {wildcards.box}"
    script:
        "../scripts/read_box.py"
