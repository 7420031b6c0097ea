"""The figures, one module each, named by content.

Every module has ``draw(...)``, which takes `lagbias.figures.curves.Spectra` and returns a
matplotlib figure; `lagbias.figures.common.save` writes it.
"""

__all__ = ["common", "power_ratio_all_sets", "power_ratio_boxes", "power_ratio_smoothing_sets"]
