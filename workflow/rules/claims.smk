# The paper's claims, checked on what the run has made, and the configuration, for the report.


rule check_claims:
    input:
        **evidence(),
    output:
        html=report(
            pattern("tables", name="claims.html"),
            caption="../report/claims.rst",
            category="Claims of the paper",
            labels={"table": "C01 to C44"},
        ),
        json=pattern("tables", name="claims.json"),
        markdown=pattern("tables", name="claims.md"),
    log:
        "logs/{run}/check_claims.log",
    benchmark:
        "benchmarks/{run}/check_claims.tsv"
    group:
        "figures"
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
            pattern("tables", name="configuration.html"),
            caption="../report/configuration.rst",
            category="Configuration",
            labels={"table": "Every key and its value"},
        ),
    log:
        "logs/{run}/write_configuration.log",
    benchmark:
        "benchmarks/{run}/write_configuration.tsv"
    localrule: True
    resources:
        **needs(200),
    params:
        code=code("write_configuration"),
        configuration=CONFIG.model_dump(),
    message:
        "writing the configuration"
    script:
        "../scripts/write_configuration.py"
