"""The figures, one module each, named by content.

Every module of a figure has ``load(inputs, **settings)``, which reads the artefacts at the paths
of `inputs` (a mapping of names to a path or a list of paths) and returns the arguments of
``draw(...)``, which returns a matplotlib figure. `lagbias.figures.common.save` writes it.
"""
