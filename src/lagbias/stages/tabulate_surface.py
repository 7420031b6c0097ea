"""f of two components for readers: its table as CSV, and its formula as a page."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lagbias.artefacts import store
from lagbias.bias.surface import MAX_DEGREE, TOLERANCE, Surface
from lagbias.runtime.atomic import write_text
from lagbias.runtime.markdown import markdown_table

__all__ = ["as_csv", "as_markdown", "tabulate_surface"]

_PAGE = """# f of two components in the run {run}

Average f of networks that take in the first two components of ∇f, trained with {smoothing_set} on
{train_box}, halos {sample}; two_components.csv has it as a table. Everything is dimensionless.

## Components

PC0 and PC1 are the sums of these coefficients times δ, ∇²δ and G2, each smoothed with R_f [Mpc/h],
with its mean subtracted and divided by its standard deviation over the initial grid.

{components}

## Formula

ln f = Σ c_ij PC0^i PC1^j, with i + j ≤ {degree}. PC0 below {pc0[0]:g} or above {pc0[1]:g}, and
PC1 below {pc1[0]:g} or above {pc1[1]:g}, count as these limits. f is at most {limit:.4g}.
⟨f⟩ = 1 over the particles of {train_box}; on another box divide f by its mean.

{coefficients}

The rms error of ln f is {error:.2g}, with the mean of both f as weight, over particles of
{train_box}. {criterion}

## Table

Columns: centre of the bin of PC0, of PC1, mean f of its particles, share of all particles. Bins
with too few particles are absent; {absent:.2g} of all particles are in them.
"""


def tabulate_surface(path: str | Path, run: str, outputs: Mapping[str, str | Path]) -> None:
    """Write ``csv`` and ``markdown`` of the surface in a file."""
    surface = store.read(path, Surface)
    write_text(outputs["csv"], as_csv(surface))
    write_text(outputs["markdown"], as_markdown(surface, run))


def as_csv(surface: Surface) -> str:
    """Return a line for each bin that is present: its centre, f and the share of particles."""
    centres = [(edges[1:] + edges[:-1]) / 2 for edges in (surface.pc0_edges, surface.pc1_edges)]
    lines = ["pc0,pc1,f,share"]
    for i, j in np.argwhere(surface.share > 0):
        values = (surface.f[i, j], surface.share[i, j])
        lines.append(
            f"{centres[0][i]:g},{centres[1][j]:g}," + ",".join(f"{value:.5g}" for value in values)
        )
    return "\n".join(lines) + "\n"


def as_markdown(surface: Surface, run: str) -> str:
    """Return a Markdown page with M, the formula, its range and its error."""
    criterion = f"This is the smallest degree with an error below {TOLERANCE:g}."
    if surface.error >= TOLERANCE:
        criterion = f"No degree up to {MAX_DEGREE} has an error below {TOLERANCE:g}."
    return _PAGE.format(
        run=run,
        smoothing_set=surface.smoothing_set,
        train_box=surface.train_box,
        sample=surface.sample,
        components=_components(surface),
        degree=surface.degree,
        pc0=surface.pc0_edges[[0, -1]],
        pc1=surface.pc1_edges[[0, -1]],
        limit=surface.limit,
        coefficients=_coefficients(surface),
        error=surface.error,
        criterion=criterion,
        absent=max(0.0, 1.0 - surface.share.sum()),
    )


def _components(surface: Surface) -> str:
    """Return a table with a row for each radius."""
    head = ["R_f", *(f"{name} in PC{row}" for row in (0, 1) for name in ("δ", "∇²δ", "G2"))]
    of_radii = np.hstack([row.reshape(-1, 3) for row in surface.matrix])
    return markdown_table(
        head,
        (
            [f"{radius:g}", *(f"{value:.4g}" for value in values)]
            for radius, values in zip(surface.smoothing_radii, of_radii, strict=True)
        ),
    )


def _coefficients(surface: Surface) -> str:
    """Return a table of c_ij, empty where i + j exceeds the degree."""
    powers = range(surface.degree + 1)
    head = ["i", *(f"j = {j}" for j in powers)]
    return markdown_table(
        head,
        (
            [
                str(i),
                *(
                    f"{surface.coefficients[i, j]:.4g}" if i + j <= surface.degree else ""
                    for j in powers
                ),
            ]
            for i in powers
        ),
    )
