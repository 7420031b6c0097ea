# Halo fields of boxes. What a source makes, every rule from here on reads alike.


rule make_halo_fields:
    input:
        halos="results/{run}/boxes/{box}/halos.h5",
    output:
        "results/{run}/halo_fields/{box}/{sample}.h5",
    log:
        "logs/{run}/make_halo_fields/{box}.{sample}.log",
    benchmark:
        "benchmarks/{run}/make_halo_fields/{box}.{sample}.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(
            megabytes=230 + 18e-6 * EVALUATION_CELLS,
            seconds=1e-7 * BOX_PARTICLES,
        ),
    params:
        code=code("make_halo_fields"),
        sample=lambda wildcards: section("halo_samples", wildcards.sample),
        cell_size=CONFIG.training.cell_size,
        evaluation_grid=CONFIG.evaluation.grid,
    message:
        "halo field of {wildcards.box}, sample {wildcards.sample}"
    script:
        "../scripts/make_halo_fields.py"
