"""Whether the files of a box can be used, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lagbias.sources.diagnosis import SMALLEST_ALIGNED
from lagbias.stages.read_source import read_and_check

if TYPE_CHECKING:
    from lagbias.config.sections import FilesSettings
    from lagbias.sources.base import Box
    from lagbias.sources.diagnosis import Findings

__all__ = ["check_files"]


def check_files(settings: FilesSettings, box: str, *, threads: int = 1) -> str:
    """Read a box of the source ``files`` as the workflow does, and describe it.

    Parameters
    ----------
    settings : FilesSettings
        The section ``files`` of the configuration.
    box : str
        Name of the box.
    threads : int, keyword-only
        Threads with which halos are found.

    Returns
    -------
    str
        What the files hold, and how particles, density and halos fit each other.

    Raises
    ------
    ValueError
        If the box cannot be used; the message names it and says why and what to do about it.
    """
    if box not in settings.boxes:
        raise ValueError(
            f"files.boxes has no box {box!r}. Choose one of: {', '.join(settings.boxes)}."
        )
    try:
        found, findings = read_and_check("files", settings, box, threads=threads)
    except (OSError, ValueError) as error:
        raise ValueError(f"{box}: {error}") from error
    return "\n".join([f"{box} can be used.", *_contents(found), *_fit(findings)])


def _contents(box: Box) -> list[str]:
    particles, halos, known = box.particles, box.halos, box.attributes
    lines = [
        f"  {len(particles.position)} particles of {known['particle_mass']:.4g} Msun/h are kept of "
        f"{known['particles_per_side']}³, in a box of {particles.box_size:g} Mpc/h at redshift "
        f"{known['redshift']:g}.",
        f"  The linear density has {known['n_grid']}³ nodes and the standard deviation "
        f"{box.linear_density.delta.std():.3g}.",
    ]
    if not len(halos.mass):
        return [*lines, "  There are no halos of min_halo_particles. Lower it."]
    return [
        *lines,
        f"  {len(halos.mass)} halos have {halos.particles.min()} to {halos.particles.max()} "
        f"particles, {halos.mass.min():.3g} to {halos.mass.max():.3g} Msun/h.",
    ]


def _fit(findings: Findings) -> list[str]:
    lines = [f"  Particles are {findings.displacement:.2f} Mpc/h (rms) from their sites."]
    if findings.large_scales is None:
        lines.append(
            f"  Boxes below {SMALLEST_ALIGNED:g} Mpc/h have too few large-scale modes to compare "
            f"particles with the linear density."
        )
    else:
        correlation, amplitude = findings.large_scales
        lines.append(
            f"  On large scales matter and linear density have the correlation {correlation:.3f} "
            f"and the ratio {amplitude:.3f}; both should be close to 1."
        )
    if findings.at_halos is not None:
        lines.append(f"  At halos the matter density is {findings.at_halos:.1f} times the mean.")
    return lines
