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
    # one up to 430³ particles: two boxes at once are faster, and the number of cores changes no bits
    threads: threads_for(SIMULATED_PARTICLES / 2)
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
