# Halo fields of boxes. From here on all sources are alike.


rule make_halo_fields:
    input:
        halos=pattern("halos"),
    output:
        pattern("halo_fields"),
    log:
        log_of("make_halo_fields", pattern("halo_fields")),
    benchmark:
        benchmark_of("make_halo_fields", pattern("halo_fields"))
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
