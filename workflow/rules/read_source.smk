# Boxes of sources that a function reads: `files`, and those that are added in code.


rule read_source:
    input:
        # not artefacts of this workflow: they carry no provenance
        data=lambda wildcards: CONFIG.settings().input_files(wildcards.box),
    output:
        linear_density=pattern("linear_density"),
        particles=pattern("particles"),
        halos=pattern("halos"),
    log:
        "logs/{run}/read_source/{box}.log",
    benchmark:
        "benchmarks/{run}/read_source/{box}.tsv"
    threads: threads_for(SIMULATED_PARTICLES / 2)
    resources:
        # positions, IDs and velocities of all particles, a linked list of them, and the density
        **needs(
            megabytes=400 + 80e-6 * SIMULATED_PARTICLES + 24e-6 * NODES,
            seconds=4e-6 * SIMULATED_PARTICLES,
        ),
    params:
        code=code("read_source", f"lagbias.sources.{CONFIG.source}"),
        source=CONFIG.source,
        # this box only, so that others may change without reruns
        settings=lambda wildcards: section(CONFIG.source)
        | {"boxes": {wildcards.box: section(CONFIG.source)["boxes"][wildcards.box]}},
    message:
        "reading {wildcards.box}"
    script:
        "../scripts/read_source.py"
