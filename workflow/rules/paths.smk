# Paths of artefacts: each pattern appears once, here.

PATHS = {
    "files": "results/{run}/boxes/{box}/files.h5",
    "linear_density": "results/{run}/boxes/{box}/linear_density.h5",
    "particles": "results/{run}/boxes/{box}/particles.h5",
    "halos": "results/{run}/boxes/{box}/halos.h5",
    "halo_fields": "results/{run}/halo_fields/{box}/{sample}.h5",
    "features": "results/{run}/features/{box}/rf{rf}.h5",
    "whitening": "results/{run}/whitening/{box}/{smoothing_set}.h5",
    "networks": "results/{run}/networks/{train_box}/{sample}/{smoothing_set}/{inputs}/seed{seed}.h5",
    "ensembles": "results/{run}/networks/{train_box}/{sample}/{smoothing_set}/{inputs}",
    "least_squares": "results/{run}/least_squares/{train_box}/{sample}/{smoothing_set}.h5",
    "binned_f": "results/{run}/binned_f/{train_box}/{sample}/{smoothing_set}/{inputs}.h5",
    "spectra": "results/{run}/spectra/{train_box}/{sample}/{smoothing_set}/{inputs}/on_{box}.h5",
    "multipoles": "results/{run}/multipoles/{train_box}/{sample}/{smoothing_set}/{inputs}/on_{box}.h5",
    "model_fields": "results/{run}/model_fields/{train_box}/{sample}/{smoothing_set}/{inputs}/on_{box}.h5",
    "baselines": "results/{run}/baselines/{train_box}/{sample}/{smoothing_set}/{baseline}.h5",
    "comparisons": "results/{run}/comparisons/{train_box}/{sample}/{smoothing_set}/{inputs}/on_{box}.h5",
    "slabs": "results/{run}/slabs/{train_box}/{sample}/{smoothing_set}/{inputs}/on_{box}.h5",
    "gradient_pca": "results/{run}/gradient_pca/{train_box}/{sample}/{smoothing_set}.h5",
    "surfaces": "results/{run}/surfaces/{train_box}/{sample}/{smoothing_set}.h5",
    "figures": "results/{run}/figures/{name}",
    "tables": "results/{run}/{name}",
    "archive": "results/{run}.tar",
}

# the box that trains every set, and the one that validates
TRAINING_BOX, VALIDATION_BOX = CONFIG.boxes.train[0], CONFIG.boxes.validation[0]

# what paths mean that say no more; the last wildcard varies fastest
USUAL = {
    "run": CONFIG.run,
    "smoothing_set": CONFIG.figure_sets.multi_scale,
    "inputs": "full",
    "train_box": TRAINING_BOX,
    "box": VALIDATION_BOX,
    "sample": CONFIG.sample,
    "seed": CONFIG.seeds,
}


def pattern(kind, **fixed):
    """Pattern of the paths of a kind of artefact, with some wildcards fixed or renamed."""
    return expand(PATHS[kind], allow_missing=True, **fixed)[0]


def paths(kind, **chosen):
    """Paths of artefacts: every combination of the values of wildcards."""
    return expand(PATHS[kind], **(USUAL | chosen))


def path(kind, **chosen):
    """Path of the one artefact that the values of wildcards name."""
    (only,) = paths(kind, **chosen)
    return only


def in_run(inputs):
    """Every path in inputs of a rule by name, once, relative to the directory of the run."""
    groups = ([each] if isinstance(each, str) else each for each in inputs.values())
    run = Path("results", CONFIG.run)
    return list(
        dict.fromkeys(
            str(Path(file).relative_to(run)) for group in groups for file in group
        )
    )


def log_of(rule, output):
    """Log of a job: logs/<run>/<rule>/ and the wildcards, as in its output."""
    _, run, _, *own = Path(output).with_suffix(".log").parts
    return f"logs/{run}/{rule}/{'.'.join(own)}"


def benchmark_of(rule, output):
    """Run time and memory of a job, beside its log but in benchmarks/."""
    log = Path(log_of(rule, output)).with_suffix(".tsv")
    return str(Path("benchmarks", *log.parts[1:]))


def radii(smoothing_set):
    """Smoothing radii of a set, as they appear in paths."""
    return [format_radius(radius) for radius in CONFIG.smoothing_sets[smoothing_set]]


def features_of(box):
    """Input function: features of a box, which may be a wildcard, one file per radius of the set."""
    return lambda wildcards: paths(
        "features", box=box.format(**wildcards), rf=radii(wildcards.smoothing_set)
    )


def of_training_boxes(kind):
    """Input function: artefacts of the boxes that train an ensemble, box after box."""
    return lambda wildcards: of_boxes(
        kind, CONFIG.training_boxes(wildcards.train_box, wildcards.inputs), wildcards
    )


def of_boxes(kind, boxes, wildcards):
    """Artefacts of one smoothing set or sample, box after box."""
    chosen = {"rf": radii(wildcards.smoothing_set)} if kind == "features" else {}
    fixed = {"run": wildcards.run, "sample": wildcards.sample}
    return [file for box in boxes for file in paths(kind, box=box, **fixed, **chosen)]


def input_map_of(wildcards):
    """Parameter: what networks take in; networks trained otherwise take in all features."""
    otherwise = wildcards.inputs in CONFIG.all_variants()
    return "full" if otherwise else wildcards.inputs


def components_of(wildcards):
    """Input function: components of ∇f for networks on two of them, nothing for others."""
    retrained = wildcards.inputs == "pc2"
    return pattern("gradient_pca").format(**wildcards) if retrained else []


def initial_of(wildcards):
    """Input function: networks from which an ensemble starts, nothing for those with own epochs."""
    inputs = CONFIG.starts_from(wildcards.inputs)
    return networks_of({**wildcards, "inputs": inputs}) if inputs else []


def eigenvalue_cut_of(wildcards):
    """Parameter: the cut that chooses the inputs of networks, None where they are not chosen so."""
    return CONFIG.eigenvalue_cut if wildcards.inputs == "cut" else None


def networks_of(wildcards):
    """Input function: the ensemble that the wildcards name, of all features without `inputs`."""
    return paths("networks", **wildcards)


def all_figures():
    """Every figure that the configuration asks for."""
    return [
        f"{path('figures', name=name)}.{suffix}"
        for name in CONFIG.figures
        for suffix in ("pdf", "png")
    ]


def all_tables():
    """The claims of the paper, and the configuration."""
    names = ["claims.json", "claims.md", "claims.html", "configuration.html"]
    return paths("tables", name=names)


def evidence():
    """Every artefact that a claim is checked with."""
    chosen = CONFIG.figure_sets
    sets = chosen.of_the_paper()
    scales = [chosen.single_scale, chosen.multi_scale]
    return {
        "networks": [
            *paths("networks", smoothing_set=sets),
            *paths("networks", smoothing_set=chosen.retrained, inputs="pc2"),
        ],
        "spectra": [
            *paths("spectra", smoothing_set=sets),
            *paths("spectra", smoothing_set=scales, box=TRAINING_BOX),
            *paths("spectra", smoothing_set=scales, box=CONFIG.boxes.validation[1:]),
            *paths(
                "spectra",
                train_box=CONFIG.boxes.train[1:],
                smoothing_set=dict.fromkeys([chosen.multi_scale, *chosen.cut]),
            ),
            *paths(
                "spectra",
                train_box=CONFIG.boxes.train,
                smoothing_set=chosen.cut,
                inputs="cut",
            ),
            *paths("spectra", smoothing_set=chosen.single_scale, inputs="density"),
            *paths(
                "spectra", smoothing_set=chosen.single_scale, inputs="least_squares"
            ),
            *paths("spectra", smoothing_set=chosen.nested, inputs="nested"),
            *paths("spectra", smoothing_set=chosen.retrained, inputs="pc2"),
            *(
                spectra
                for name, variant in CONFIG.variants.items()
                for spectra in paths("spectra", smoothing_set=variant.sets, inputs=name)
            ),
        ],
        "components": [
            *paths("gradient_pca", smoothing_set=sets),
            *paths(
                "gradient_pca", smoothing_set=chosen.thin, sample=CONFIG.thin_samples
            ),
        ],
        "least_squares": path("least_squares", smoothing_set=chosen.single_scale),
        "binned": path("binned_f", smoothing_set=chosen.single_scale, inputs="density"),
        "whitening": paths(
            "whitening", box=TRAINING_BOX, smoothing_set=[*sets, chosen.thin]
        ),
        "halo_fields": paths(
            "halo_fields",
            box=[TRAINING_BOX, VALIDATION_BOX],
            sample=[CONFIG.sample, *CONFIG.thin_samples],
        ),
        "model_fields": paths("model_fields", smoothing_set=chosen.compared()),
    }
