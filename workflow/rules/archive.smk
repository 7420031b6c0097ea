# One file from which `make figures FROM=` draws every figure again, without simulating.

# what is drawn and tabulated, from what, by rule; paths are relative to the directory of the run
ARCHIVED = {
    name: {
        "description": FIGURES[name].label,
        "inputs": in_run(FIGURES[name].inputs),
        "outputs": [f"figures/{name}.pdf", f"figures/{name}.png"],
    }
    for name in CONFIG.figures
} | {
    "check_claims": {
        "description": "The paper's claims, measured, with verdicts",
        "inputs": in_run(evidence()),
        "outputs": ["claims.html", "claims.json", "claims.md"],
    },
    "write_configuration": {
        "description": "Every key of the configuration, its value and its meaning",
        "inputs": [],
        "outputs": ["configuration.html"],
    },
}

# Arrays that neither figures nor claims read, by kind of artefact: two thirds of the space. Of
# components they read the particles of some.
NOT_READ = {
    "halo_fields": ["evaluation"],
    "model_fields": ["evaluation"],
    "gradient_pca": ["components", "f"],
}
READ_WHOLE = in_run(
    {
        "main": path("gradient_pca"),
        "thin": paths(
            "gradient_pca", smoothing_set=SETS.thin, sample=CONFIG.thin_samples
        ),
    }
)


rule archive:
    input:
        [
            paths("tables", name=each["inputs"] + each["outputs"])
            for each in ARCHIVED.values()
        ],
    output:
        path("archive"),
    log:
        f"logs/{CONFIG.run}/archive.log",
    benchmark:
        f"benchmarks/{CONFIG.run}/archive.tsv"
    localrule: True
    resources:
        **needs(300),
    params:
        code=code("write_archive"),
        made=ARCHIVED,
        left_out={
            file: NOT_READ[kind]
            for each in ARCHIVED.values()
            for file in each["inputs"]
            if (kind := Path(file).parts[0]) in NOT_READ and file not in READ_WHOLE
        },
        configuration=config,
    message:
        "writing the archive"
    script:
        "../scripts/write_archive.py"
