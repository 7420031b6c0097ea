# So that `snakemake` works in the repository's root. The workflow is workflow/Snakefile.


include: "workflow/Snakefile"


# included files set none
workflow.default_target = "all"
