# Boxes that the pipeline simulates itself: initial conditions, N-body, halos.


rule simulate_box:
    output:
        linear_density="results/{run}/boxes/{box}/linear_density.h5",
        particles="results/{run}/boxes/{box}/particles.h5",
        halos="results/{run}/boxes/{box}/halos.h5",
    log:
        "logs/{run}/simulate_box/{box}.log",
    benchmark:
        "benchmarks/{run}/simulate_box/{box}.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        # two meshes of (2n)^3, particles and displacements in float32, as measured, and half again
        mem_mb=lambda wildcards, attempt: int(
            attempt * (600 + 1.5e-4 * CONFIG.embedded.particles_per_side**3)
        ),
        runtime=lambda wildcards, attempt: attempt * 60,
    params:
        code=code("simulate_box"),
        embedded={k: v for k, v in section("embedded").items() if k != "boxes"},
        seed=lambda wildcards: CONFIG.embedded.boxes[wildcards.box],
    message:
        "simulating {wildcards.box}"
    script:
        "../scripts/simulate_box.py"
