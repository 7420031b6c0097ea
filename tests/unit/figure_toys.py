"""Small made-up artefacts for every figure, and helpers to look at what is drawn."""

from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection, QuadMesh
from scipy.special import eval_legendre

from lagbias.artefacts import store
from lagbias.bias.binned import BinnedF
from lagbias.bias.comparison import Comparison
from lagbias.bias.components import GradientPCA
from lagbias.bias.least_squares import LeastSquares
from lagbias.bias.multipoles import Multipoles
from lagbias.bias.prediction import ModelField
from lagbias.bias.spectra import Spectra
from lagbias.figures import common
from lagbias.figures.slab import Slab
from lagbias.grids.halo_field import HaloFields
from lagbias.training.network import Network

BOX_SIZE = 200.0
SETS = {
    "1Rf": [2.83],
    "3Rf": [1.41, 2.83, 5.66],
    "3Rf_coarse": [1.0, 2.83, 8.0],
    "3Rf+11.3": [1.41, 2.83, 5.66, 11.3],
    "3Rf_fine": [2.0, 2.83, 4.0],
    "5Rf_fine": [1.41, 2.0, 2.83, 4.0, 5.66],
}
COARSE, FINE = ("3Rf", "3Rf_coarse", "3Rf+11.3"), ("3Rf_fine", "5Rf_fine")
RADII = {"smoothing_sets": SETS}
#: PC0 at which f peaks, and limits, of two halo samples.
PEAKS = {"thin_low": 0.5, "thin_high": 1.5}
LIMITS = {
    "thin_low": {"min_particles": 20, "max_particles": 63},
    "thin_high": {"min_particles": 126, "max_particles": 632},
}


def generator(*words):
    """Random numbers that depend on some words."""
    return np.random.default_rng(list("/".join(words).encode()))


def spectra(
    smoothing_set="3Rf", train_box="box0", target_box="box1", inputs="full", *, n_seeds=5, n_bins=64
):
    """Spectra that resemble real ones."""
    rng = generator(smoothing_set, train_box, target_box, inputs)
    number = np.arange(1, n_bins + 1)
    k = number * 2 * np.pi / BOX_SIZE
    n_modes = np.maximum(np.round(2 * np.pi * number**2), 3).astype(np.int64)
    halo = 3e4 / (1 + (k / 0.05) ** 1.4) + 800.0
    ratio = 1 - rng.uniform(0.08, 0.15) / (1 + (k / 0.15) ** 2)
    ratio = ratio + 0.08 * np.exp(-((np.log(k / 0.4) / 0.5) ** 2)) - 0.12 * k**3 / (1 + k**3)
    ratio = ratio * (1 + 0.2 / np.sqrt(n_modes) * rng.normal(size=n_bins))
    networks = ratio * (1 + 0.012 * rng.normal(size=(n_seeds, 1)) / (1 + k))
    correlation = 1 - 0.003 * (1 + (k / 0.1) ** 2) * (1 + 0.3 * rng.random(n_bins))
    correlation = np.clip(correlation, 0.2, None)
    lower = 1 - (1 - correlation) * (1 + 0.2 * rng.random((n_seeds, 1)))
    return Spectra(
        k=k,
        n_modes=n_modes,
        halo_power=halo,
        model_power=networks * halo,
        cross_power=lower * np.sqrt(networks) * halo,
        average_model_power=ratio * halo,
        average_cross_power=correlation * np.sqrt(ratio) * halo,
        mean_f=np.ones(n_seeds),
        average_mean_f=np.ones(1),
        seeds=np.arange(n_seeds),
        train_box=train_box,
        target_box=target_box,
        smoothing_set=smoothing_set,
        inputs=inputs,
    )


def network(smoothing_set="3Rf", inputs="full", *, seed=0, n_epochs=10, losses=None, **labels):
    """A network whose validation loss falls steeply and then levels off."""
    epochs = np.arange(1, n_epochs + 1)
    level = generator(smoothing_set, inputs, str(seed)).uniform(2.5, 2.6)
    losses = level + 5.0 * np.exp(-epochs / (0.1 * n_epochs)) if losses is None else losses
    history = {"loss_per_cell": 0.9 * losses, "validation_loss_per_cell": losses}
    shapes = {"0.weight": (2, 2), "0.bias": (2,), "1.weight": (1, 2), "1.bias": (1,)}
    return Network(
        weights={f"layers.{name}": np.ones(shape, np.float32) for name, shape in shapes.items()},
        history=history,
        seed=seed,
        smoothing_set=smoothing_set,
        inputs=inputs,
        **{"train_box": "box0", "validation_box": "box1", "sample": "threshold", **labels},
    )


def ensemble(smoothing_set="3Rf", inputs="full", *, n_seeds=3, n_epochs=10):
    """Networks of some seeds."""
    seeds = range(n_seeds)
    return [network(smoothing_set, inputs, seed=seed, n_epochs=n_epochs) for seed in seeds]


def pca(smoothing_set="3Rf", sample="threshold", *, peak=None, count=20_000, n_components=4):
    """Components with f that rises with PC0 or, given a peak, rises and falls."""
    radii = SETS.get(smoothing_set, [1.0, 2.0, 4.0])
    rng = generator(smoothing_set)
    matrix = rng.normal(size=(2 * len(radii) + 1, 3 * len(radii)))
    components = rng.normal(size=(count, n_components))
    if peak is None:
        f = 3.0 * np.logaddexp(0, 3 * components[:, 0] - 2) * np.exp(0.1 * components[:, -1])
    else:
        f = 8.0 * np.exp(-2 * (components[:, 0] + 0.3 * components[:, 1] - peak) ** 2)
    return GradientPCA(
        smoothing_radii=np.array(radii),
        eigenvalues=np.ones(len(matrix)),
        directions=np.eye(len(matrix)),
        matrix=matrix,
        centred_eigenvalues=np.ones(len(matrix)),
        components=components.astype(np.float32),
        f=f.astype(np.float32),
        smoothing_set=smoothing_set,
        sample=sample,
    )


def binned_f(kind=BinnedF, *, n_tables=5, noise=0.0):
    """Table of f that rises with δ, later for larger ∇²δ, in equally wide bins of a normal δ."""
    edges = np.linspace(-3.5, 3.7, 33)
    delta = 0.5 * (edges[1:] + edges[:-1])
    share = np.exp(-0.5 * delta**2)[:, None] * [0.05, 0.3, 0.3, 0.3, 0.05]
    share /= share.sum()
    threshold = np.array([-0.8, 0.0, 0.4, 0.9, 1.7])
    f = 3.0 * np.maximum(delta[:, None] - threshold, 0.0) ** 1.2
    scatter = noise * generator(kind.KIND).normal(size=(n_tables, *share.shape))
    fitted = {"kkt_residual": 0.0, "condition_number": 1.0} if kind is LeastSquares else {}
    return kind(
        delta_edges=edges,
        lap_delta_edges=-0.7 * delta[:, None] + np.array([-3, -1.1, -0.3, 0.3, 1.1, 3]),
        f=np.maximum(f * (1 + scatter / np.sqrt(1e4 * share)), 0.0),
        share=share,
        seeds=np.arange(n_tables),
        **fitted,
    )


def halo_fields(n_cells=30):
    """Lognormal halo field with structures some cells wide."""
    wave = np.fft.fftfreq(n_cells)
    k2 = sum(part**2 for part in np.meshgrid(wave, wave, wave, indexing="ij"))
    noise = np.random.default_rng(0).normal(size=(n_cells,) * 3)
    smooth = np.fft.ifftn(np.fft.fftn(noise) * np.exp(-k2 / 0.03)).real
    field = np.exp(2.0 * smooth / smooth.std())
    field = (field / field.mean() - 1).astype(np.float32)
    names = ("n_halos", "min_mass", "max_mass", "mean_mass", "n_galaxies", "shot_noise")
    numbers = dict.fromkeys(names, 1)
    return HaloFields(training=field, evaluation=field, box_size=BOX_SIZE, **numbers)


def model_field(smoothing_set="3Rf", *, n_cells=30):
    """The halo field with errors."""
    halos = halo_fields(n_cells).training
    error = 0.3 * generator("3Rf").normal(size=halos.shape)
    error += 0.1 * generator(smoothing_set).normal(size=halos.shape)
    average = (halos + (1 + halos) * error).astype(np.float32)
    labels = {"box_size": BOX_SIZE, "smoothing_set": smoothing_set}
    return ModelField(average=average, evaluation=average, **labels)


def slab(n_nodes=30, region_size=60.0):
    """Some peaks and particles that fall into them."""
    rng = np.random.default_rng(1)
    spacing = region_size / n_nodes
    x, y = np.meshgrid(*[(np.arange(n_nodes) + 0.5) * spacing] * 2, indexing="ij")
    peaks = rng.uniform(0.2 * region_size, 0.8 * region_size, (3, 2))
    delta = sum(3.5 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 80.0) for a, b in peaks) - 0.5
    origin = np.stack([x.ravel(), y.ravel()], axis=1)
    nearest = peaks[np.argmin(((origin[:, None] - peaks) ** 2).sum(axis=2), axis=1)]
    position = origin + 0.6 * np.clip(delta.ravel(), 0, 1)[:, None] * (nearest - origin)
    model_map, halo_map = np.exp(rng.normal(0.0, 2.0, (2, 60, 60)))
    return Slab(
        origin=origin,
        position=position,
        f=np.clip(4.0 * delta.ravel(), 0.01, None),
        delta=delta.ravel(),
        initial_delta=delta,
        model_map=model_map,
        halo_map=halo_map,
        region_size=region_size,
        layer_thickness=spacing,
        depth=10.0,
        rf=2.83,
    )


def method_overview(**options):
    return {"slab": slab(**options)}, {}


def least_squares_comparison(n_tables=5):
    return {
        "least_squares": binned_f(LeastSquares, n_tables=n_tables, noise=1.0),
        "networks_binned": binned_f(n_tables=n_tables, noise=0.05),
        "spectra_least_squares": spectra("1Rf", inputs="least_squares"),
        "spectra_networks": spectra("1Rf", inputs="density"),
    }, {}


def power_ratio_boxes(n_boxes=4, **options):
    both, boxes = ("1Rf", "3Rf"), [f"box{i + 1}" for i in range(n_boxes)]
    return {
        "on_training_box": [spectra(name, "box0", "box0", **options) for name in both],
        "on_validation_boxes": [
            spectra(name, "box0", box, **options) for box in boxes for name in both
        ],
        # as in the default configuration, boxes that train here are validation boxes there
        "by_training_box": [spectra("3Rf", box, "box1", **options) for box in ("box0", *boxes[1:])],
    }, {}


def power_ratio_smoothing_sets(**options):
    return {
        "coarse": [spectra(name, **options) for name in COARSE],
        "fine": [spectra(name, **options) for name in FINE],
    }, RADII


def power_ratio_all_sets(sets=tuple(SETS), **options):
    return {"spectra": [spectra(name, **options) for name in sets]}, RADII


def principal_components(**options):
    return {"components": [pca(**options)]}, RADII


def power_ratio_retrained(sets=("3Rf", "3Rf_fine", "5Rf_fine", "3Rf+11.3"), **options):
    return {
        "original": [spectra(name, **options) for name in sets],
        "retrained": [spectra(name, inputs="pc2", **options) for name in sets],
    }, RADII


def component_coefficients(sets=("1Rf", "3Rf", "5Rf_fine")):
    return {"components": [pca(name, count=10) for name in sets]}, {}


def thin_mass_components(**options):
    samples = [pca("thin", name, peak=peak, **options) for name, peak in PEAKS.items()]
    return {"components": samples}, {"samples": LIMITS}


def validation_loss_smoothing_sets(sets=(*COARSE, *FINE), n_bins=30, **options):
    return {
        "networks": [one for name in sets for one in ensemble(name, **options)],
        "spectra": [spectra(name, n_bins=n_bins) for name in sets],
    }, RADII


def residual_slices(sets=("3Rf", "3Rf_coarse", "3Rf+11.3"), **options):
    return {
        "halo_fields": halo_fields(**options),
        "model_fields": [model_field(name, **options) for name in sets],
    }, {}


def validation_loss_retrained(n_bins=30, **options):
    both = ("full", "pc2")
    return {
        "networks": [one for inputs in both for one in ensemble("5Rf_fine", inputs, **options)],
        "spectra": [spectra("5Rf_fine", inputs=inputs, n_bins=n_bins) for inputs in both],
    }, RADII


#: Deviations of models in the toys: of P_model/P_h on small scales, 1 - r at 0.1 h/Mpc, width of
#: the density, and the bispectrum.
MODELS = {
    ("full", "3Rf"): (-0.06, 0.0020, 0.985, 0.94),
    ("joint", "3Rf"): (0.01, 0.0015, 1.0, 1.0),
    ("joint", "1Rf"): (0.02, 0.0022, 1.01, 1.02),
    ("polynomial", "1Rf"): (-0.08, 0.0040, 0.975, 0.9),
    ("transfer", "1Rf"): (-0.12, 0.0035, 0.97, 0.85),
    ("gaussian", "1Rf"): (-0.1, 0.0037, 1.025, 1.1),
    ("filtered_least_squares", "1Rf"): (0.08, 0.0030, 1.02, 1.04),
}


def comparison(
    inputs="full", smoothing_set="3Rf", target_box="box8", *, n_bins=64, radii=(5, 10), n_shells=7
):
    """A comparison that resembles a real one: lognormal densities and tree-level bispectra."""
    rng = generator(inputs, smoothing_set, target_box)
    tilt, lost, width, amplitude = MODELS[inputs, smoothing_set]
    number = np.arange(1, n_bins + 1)
    k = number * 2 * np.pi / BOX_SIZE
    n_modes = np.round(4 * np.pi * number**2).astype(np.int64)
    halo = 3e4 / (1 + (k / 0.05) ** 1.4) + 800.0
    noise = np.sqrt(4 * lost / n_modes) * rng.normal(size=n_bins)
    ratio = (1 + tilt * k**2 / (0.02 + k**2)) * (1 + noise)
    correlation = np.clip(1 - lost * (1 + (k / 0.1) ** 2), 0.4, None)
    densities = [lognormal_densities(radius, width, rng) for radius in radii]
    return Comparison(
        k=k,
        n_modes=n_modes,
        halo_power=halo,
        model_power=ratio * halo,
        cross_power=correlation * np.sqrt(ratio) * halo,
        radii=np.array(radii, dtype=np.float64),
        delta_edges=DELTA_EDGES,
        **{name: np.array([some[name] for some in densities]) for name in densities[0]},
        **bispectra(amplitude, rng, n_shells),
        shot_noise=800.0,
        box_size=BOX_SIZE,
        n_grid=2 * n_bins,
        train_box="box0",
        sample="threshold",
        smoothing_set=smoothing_set,
        inputs=inputs,
        target_box=target_box,
    )


DELTA_EDGES = np.linspace(-1.5, 8.0, 191)


def lognormal_densities(radius, width, rng):
    """Fields of `Comparison` that belong to a radius, of lognormal δ with σ of a width."""
    delta = 0.5 * (DELTA_EDGES[1:] + DELTA_EDGES[:-1])

    def density(sigma):
        log = np.log(np.clip(1 + delta, 1e-6, None))
        values = np.exp(-0.5 * ((log + sigma**2 / 2) / sigma) ** 2) / np.clip(1 + delta, 1e-6, None)
        values *= 1 + 0.01 * rng.normal(size=delta.size)
        return np.where(delta > -1, values / (sigma * np.sqrt(2 * np.pi)), 0.0)

    def moments(sigma):
        ratio = np.exp(sigma**2)
        return [ratio - 1, ratio + 2, ratio**3 + 3 * ratio**2 + 6 * ratio + 6]

    halo = 4.2 / radius * 0.9
    return {
        "halo_density": density(halo),
        "model_density": density(width * halo),
        "halo_moments": moments(halo),
        "model_moments": moments(width * halo),
        "wasserstein": abs(1 - width) * halo,
        "kolmogorov_smirnov": 0.2 * abs(1 - width),
    }


def bispectra(amplitude, rng, n_shells):
    """Fields of `Comparison` that belong to triangles, with Q that falls with k."""
    shells = np.arange(n_shells)
    triangles = np.array(
        [(a, b, c) for a in shells for b in shells[: a + 1] for c in shells[: b + 1] if a <= b + c]
    )
    k = (shells + 1) * 0.042
    power = 3e4 / (1 + (k / 0.05) ** 1.4) + 800.0
    p1, p2, p3 = power[triangles.T]
    tree = (0.4 + 0.1 / (1 + k[triangles[:, 0]] / 0.1)) * (p1 * p2 + p2 * p3 + p3 * p1)
    counts = np.round(50 * np.prod(triangles + 1.0, axis=1) ** 2).astype(np.int64)
    halo = tree * (1 + 0.5 / np.sqrt(counts) * rng.normal(size=len(counts)))
    return {
        "shell_k": k,
        "halo_shell_power": power,
        "model_shell_power": power,
        "triangles": triangles,
        "n_triangles": counts,
        "halo_bispectrum": halo,
        "model_bispectrum": amplitude
        * halo
        * (1 + 0.1 / counts**0.25 * rng.normal(size=len(counts))),
    }


def comparisons(boxes=("box8", "box9"), models=tuple(MODELS), **options):
    """Comparisons of all models on some boxes."""
    made = [comparison(*model, box, **options) for model in models for box in boxes]
    return {"comparisons": made}, RADII


model_comparison = one_point_comparison = bispectrum_comparison = comparisons


def loss_comparison(sets=tuple(SETS), boxes=("box8", "box9"), **options):
    both = {"original": "full", "best": "joint"}
    return {
        role: [spectra(name, "box0", box, inputs, **options) for name in sets for box in boxes]
        for role, inputs in both.items()
    }, RADII


def transfer_comparison(models=(("full", "1Rf"), ("joint", "3Rf")), boxes=("box8", "box9")):
    suffixes = {"original": "", "transferred": "_transfer"}
    return {
        role: [
            spectra(name, "box0", box, inputs + suffix) for inputs, name in models for box in boxes
        ]
        for role, suffix in suffixes.items()
    }, RADII


def multipoles(target_box="box8", *, n_bins=64):
    """Multipoles of halos after Kaiser's formula, and of a model with virial velocities too."""
    rng = generator("multipoles", target_box)
    number = np.arange(1, n_bins + 1)
    k = number * 2 * np.pi / BOX_SIZE
    n_modes = np.round(4 * np.pi * number**2).astype(np.int64)
    mu, weight = np.polynomial.legendre.leggauss(32)
    power = 3e4 / (1 + (k / 0.05) ** 1.4) + 800.0
    anisotropic = (power * (1 + np.sqrt(2 / n_modes) * rng.normal(size=n_bins)))[:, None]
    anisotropic = anisotropic * (1 + 0.5 * mu**2) ** 2
    damping = np.exp(-((4.0 * k[:, None] * mu) ** 2))
    ells = np.array([0, 2, 4])
    legendre = np.stack([(ell + 0.5) * weight * eval_legendre(ell, mu) for ell in ells])
    halo = legendre @ anisotropic.T
    noise = 0.2 / np.sqrt(n_modes) * rng.normal(size=(len(ells), n_bins))
    model = legendre @ (anisotropic * damping).T + noise * power
    return Multipoles(
        k=k,
        n_modes=n_modes,
        ells=ells,
        halo_power=halo,
        model_power=model,
        cross_power=legendre @ (anisotropic * np.sqrt(damping)).T,
        box_size=BOX_SIZE,
        n_grid=2 * n_bins,
        train_box="box0",
        sample="threshold",
        smoothing_set="3Rf",
        inputs="joint",
        target_box=target_box,
    )


def multipole_comparison(boxes=("box8", "box9"), **options):
    return {"multipoles": [multipoles(box, **options) for box in boxes]}, {}


def arguments(name, **options):
    """Store the artefacts of a figure and load them again, as arguments of its `draw`."""
    inputs, settings = globals()[name](**options)
    with TemporaryDirectory() as directory:
        paths = {}
        for role, things in inputs.items():
            several = isinstance(things, list)
            files = [
                str(Path(directory) / f"{role}{i}.h5") for i in range(len(things) if several else 1)
            ]
            for file, thing in zip(files, things if several else [things], strict=True):
                store.write(file, thing)
            paths[role] = files if several else files[0]
        return import_module(f"lagbias.figures.{name}").load(paths, **settings)


def draw(name, changes=None, **options):
    """Draw a figure with its texts and panels in place, changing some arguments of `draw`."""
    module = import_module(f"lagbias.figures.{name}")
    return laid_out(module.draw(**arguments(name, **options) | (changes or {})))


def laid_out(figure):
    """Lay a figure out, so that positions in it are known."""
    with common.style():
        FigureCanvasAgg(figure).draw()
    return figure


def panels(figure, kind=None):
    """Return the panels that are no colour bars, or those with a collection of a kind."""
    found = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    return [a for a in found if not kind or any(isinstance(c, kind) for c in a.collections)]


def data_lines(axes):
    """Return the lines of an axes without reference lines across it."""
    return [line for line in axes.lines if line.get_transform() == axes.transData]


def drawn_points(axes):
    """Return the display coordinates of lines, bands and points of an axes."""
    points = [line.get_xydata() for line in data_lines(axes)]
    for drawn in axes.collections:
        if isinstance(drawn, PathCollection):
            points.append(np.asarray(drawn.get_offsets()))
        elif not isinstance(drawn, QuadMesh):
            points += [path.vertices for path in drawn.get_paths()]
    return axes.transData.transform(np.concatenate(points)) if points else np.empty((0, 2))
