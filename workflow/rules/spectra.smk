# Evaluation: every particle of a box moved to its final position with the weight of an ensemble.


rule predict_spectra:
    input:
        particles="results/{run}/boxes/{box}/particles.h5",
        features=lambda wildcards: features_of(wildcards.box, wildcards.smoothing_set),
        whitening="results/{run}/whitening/{train_box}/{smoothing_set}.h5",
        components=components_of,
        halo_fields="results/{run}/halo_fields/{box}/{sample}.h5",
        networks=networks_of,
    output:
        spectra="results/{run}/spectra/{train_box}/{sample}/{smoothing_set}/{inputs}/on_{box}.h5",
        field="results/{run}/model_fields/{train_box}/{sample}/{smoothing_set}/{inputs}/on_{box}.h5",
    log:
        "logs/{run}/predict_spectra/{train_box}.{sample}.{smoothing_set}.{inputs}.on_{box}.log",
    benchmark:
        "benchmarks/{run}/predict_spectra/{train_box}.{sample}.{smoothing_set}.{inputs}.on_{box}.tsv"
    conda:
        "../../environment.yml"
    threads: threads_for(BOX_PARTICLES)
    resources:
        **needs(
            megabytes=evaluation,
            seconds=1e-6 * NETWORK * BOX_PARTICLES * len(CONFIG.seeds),
        ),
    params:
        code=code("predict_spectra"),
        device=CONFIG.training.device,
    message:
        "evaluating {wildcards.smoothing_set} ({wildcards.inputs}) of {wildcards.train_box} on {wildcards.box}"
    script:
        "../scripts/predict_spectra.py"
