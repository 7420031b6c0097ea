# Boxes that the workflow simulates itself: initial conditions, N-body, halos.


rule simulate_box:
    output:
        linear_density=pattern("linear_density"),
        particles=pattern("particles"),
        halos=pattern("halos"),
    log:
        "logs/{run}/simulate_box/{box}.log",
    benchmark:
        "benchmarks/{run}/simulate_box/{box}.tsv"
    # one where it suffices, so that results do not depend on `--cores`
    threads: threads_for(SIMULATED_PARTICLES)
    resources:
        # two meshes of (2n)^3, particles and displacements in float32
        **needs(
            megabytes=400 + 96e-6 * SIMULATED_PARTICLES,
            seconds=4e-7 * SIMULATED_PARTICLES * CONFIG.embedded.steps,
        ),
    params:
        code=code("simulate_box"),
        embedded={k: v for k, v in section("embedded").items() if k != "boxes"},
        seed=lambda wildcards: CONFIG.embedded.boxes[wildcards.box],
    message:
        "simulating {wildcards.box}"
    script:
        "../scripts/simulate_box.py"
