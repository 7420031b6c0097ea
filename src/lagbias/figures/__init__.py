"""The figures, one module each, named by content.

Every figure's module has ``draw(...)``, which takes what it draws and returns a matplotlib figure;
`lagbias.figures.common.save` writes it.
"""
