# The paper's claims, checked on what the run has made, and the configuration, for the report.


localrules:
    write_configuration,


rule check_claims:
    input:
        **evidence(),
    output:
        html=report(
            "results/{run}/claims.html",
            caption="../report/claims.rst",
            category="Claims of the paper",
            labels={"table": "C01 to C44"},
        ),
        json="results/{run}/claims.json",
        markdown="results/{run}/claims.md",
    log:
        "logs/{run}/check_claims.log",
    benchmark:
        "benchmarks/{run}/check_claims.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(300 + 16e-6 * EVALUATION_CELLS),
    params:
        code=code("check_claims"),
        roles=roles(),
    message:
        "checking the paper's claims"
    script:
        "../scripts/check_claims.py"


rule write_configuration:
    output:
        report(
            "results/{run}/configuration.html",
            caption="../report/configuration.rst",
            category="Configuration",
            labels={"table": "Every key and its value"},
        ),
    log:
        "logs/{run}/write_configuration.log",
    benchmark:
        "benchmarks/{run}/write_configuration.tsv"
    conda:
        "../../environment.yml"
    resources:
        **needs(200),
    params:
        code=code("write_configuration"),
        configuration=CONFIG.model_dump(),
    message:
        "writing the configuration"
    script:
        "../scripts/write_configuration.py"
