"""The sections of the configuration, each checked by itself."""

from collections.abc import Collection
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

__all__ = [
    "AbacusSettings",
    "Boxes",
    "EmbeddedSettings",
    "EvaluationSettings",
    "FigureSets",
    "GradientPCASettings",
    "HaloSample",
    "LeastSquaresSettings",
    "Name",
    "Section",
    "Seed",
    "TrainingSettings",
    "section_of",
]

#: Names that appear in paths, up to five in that of a log: with more characters each, its last part
#: could be longer than the 255 bytes that file systems allow.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+\-]*$", max_length=48)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
#: Numbers other than zero lie between its inverse and this: powers and ratios of them are finite.
LARGEST_NUMBER = 1e18


class Section(BaseModel):
    """What all sections share: unknown keys are errors, values stay, numbers are finite."""

    # not strict: `snakemake --config 'seeds=[0, 1]'` hands over the text of each number
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _check_truth(cls, raw: Any):
        """Refuse true and false, which are one and zero to Python, in the place of numbers."""
        for name, value in raw.items() if isinstance(raw, dict) else ():
            field = cls.model_fields.get(name)
            if field is None or field.annotation is bool or section_of(field.annotation):
                continue
            if bools := [member for member in _members(value) if isinstance(member, bool)]:
                raise ValueError(f"{name} is or holds {bools[0]}, which is no number or text.")
        return raw

    @model_validator(mode="after")
    def _check_magnitudes(self):
        for name, value in self:
            for number in _members(value):
                if isinstance(number, int | float) and not _is_moderate(number):
                    raise ValueError(
                        f"{name} is or holds {number:.3e}; numbers other than 0 must lie between "
                        f"{1 / LARGEST_NUMBER:g} and {LARGEST_NUMBER:g} in size."
                    )
        return self


def _members(value: Any) -> Collection:
    """Return what a value holds: itself, or the values of a list or mapping."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else [value]


def _is_moderate(number: float) -> bool:
    return number == 0 or 1 / LARGEST_NUMBER <= abs(number) <= LARGEST_NUMBER


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model behind an annotation: itself, an optional one, or a mapping's values."""
    candidates = [annotation, *get_args(annotation)]
    models = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
    return models[0] if models else None


class EmbeddedSettings(Section):
    """The pipeline's own simulations."""

    box_size: PositiveFloat = Field(description="Side of the periodic box [Mpc/h].")
    particles_per_side: int = Field(
        ge=16, le=1024, description="Particles, and initial-density cells, per side."
    )
    redshift: float = Field(ge=0, le=10, description="Redshift of the snapshot.")
    initial_redshift: float = Field(
        gt=1, le=200, description="Redshift of the second-order Lagrangian start."
    )
    steps: PositiveInt = Field(description="Time steps, equal in the growth factor.")
    linking_length: float = Field(
        gt=0, lt=1, description="Friends-of-friends linking length [mean particle separations]."
    )
    min_halo_particles: int = Field(
        ge=2, description="Fewest particles of a halo that is stored; samples cut further."
    )
    boxes: dict[Name, Seed] = Field(
        min_length=2, description="Name of each box and the seed of its initial conditions."
    )

    @property
    def density_grid(self) -> int:
        """Nodes per side of the initial density: one for each particle."""
        return self.particles_per_side

    @model_validator(mode="after")
    def _check(self):
        if self.initial_redshift <= self.redshift:
            raise ValueError(
                f"initial_redshift {self.initial_redshift:g} is not above the snapshot's redshift "
                f"{self.redshift:g}; start earlier, 19 is a good choice."
            )
        if len(set(self.boxes.values())) < len(self.boxes):
            raise ValueError(
                f"two boxes share a seed ({self.boxes}) and would be the same universe; give each "
                f"box its own seed."
            )
        return self


class AbacusSettings(Section):
    """Boxes of AbacusSummit: which, where they are or come from, and what is used of them."""

    directory: str = Field(
        min_length=1, description="Where the files are, or come to; the collection's own tree."
    )
    base_url: str = Field(
        pattern=r"^https?://[^/\s]+",
        description="Address of the collection's root, from which missing files are downloaded.",
    )
    link_from: str | None = Field(
        default=None,
        min_length=1,
        description="Root of a tree that is on disk already (NERSC, a mirror, a Globus transfer): "
        "files are linked from it and nothing is downloaded.",
    )
    globus_collection: str = Field(
        default="",
        description="Globus collection that carries the tree; `inventory` writes a list of the "
        "missing files for it.",
    )
    verify: bool = Field(
        default=True, description="Whether linked files are compared with their checksums."
    )
    redshift: float = Field(ge=0, le=10, description="Redshift of the snapshot.")
    box_size: PositiveFloat = Field(
        description="Side of the boxes [Mpc/h]; the files are held to it."
    )
    particles_per_side: int = Field(
        ge=2, description="Particles of the simulations per side; the files are held to it."
    )
    density_grid: int = Field(
        ge=16, le=1152, description="Nodes per side of the initial density (small boxes: 576)."
    )
    cleaned: bool = Field(
        default=False, description="Whether halos are cleaned; few small boxes offer it."
    )
    small: bool = Field(
        default=True, description="Whether these are the collection's small boxes (500 Mpc/h)."
    )
    min_halo_particles: PositiveInt = Field(
        description="Fewest particles of a halo that is stored; samples cut further."
    )
    boxes: dict[Name, Name] = Field(
        min_length=2, description="Name of each box and of its simulation."
    )
    repeated_simulations: bool = Field(
        default=False,
        description="Whether boxes may share a simulation: for tests of the pipeline only.",
    )

    @model_validator(mode="after")
    def _check(self):
        shared = len(set(self.boxes.values())) < len(self.boxes)
        if shared and not self.repeated_simulations:
            raise ValueError(
                f"two boxes are the same simulation ({self.boxes}), so that networks would be "
                f"validated on what they were trained on; give each box its own."
            )
        if self.particles_per_side < self.density_grid:
            raise ValueError(
                f"density_grid {self.density_grid} exceeds particles_per_side "
                f"{self.particles_per_side}; small boxes have 576 nodes and 1728 particles."
            )
        return self


class Boxes(Section):
    """Which boxes train and which validate."""

    train: list[Name] = Field(
        min_length=1,
        description="Training boxes. The first trains every set; the others train only "
        "`figure_sets.multi_scale`, to show the scatter between training boxes.",
    )
    validation: list[Name] = Field(
        min_length=1, description="Validation boxes; the first is the main one."
    )

    @model_validator(mode="after")
    def _check(self):
        for key, names in (("train", self.train), ("validation", self.validation)):
            if len(set(names)) < len(names):
                raise ValueError(f"{key} names a box twice ({names}); name each box once.")
        if self.train[0] in self.validation:
            raise ValueError(
                f"{self.train[0]} is both the main training box and a validation box; a network "
                f"must be validated on a box that it has not seen."
            )
        if self.validation[0] in self.train:
            raise ValueError(
                f"the first validation box {self.validation[0]} is also a training box; put "
                f"another one first."
            )
        return self


class HaloSample(Section):
    """Which halos make the target field, weighted by mass: those of a range of sizes."""

    min_particles: PositiveInt | None = Field(
        default=None, description="Fewest particles of a halo in the sample."
    )
    max_particles: PositiveInt | None = Field(
        default=None, description="Most particles of a halo in the sample; no limit when absent."
    )
    min_mass: PositiveFloat | None = Field(
        default=None, description="Lowest mass of a halo in the sample [Msun/h]."
    )
    max_mass: PositiveFloat | None = Field(
        default=None, description="Highest mass of a halo in the sample [Msun/h]."
    )

    @model_validator(mode="after")
    def _check(self):
        given = {name for name, value in self if value is not None}
        particles, masses = {"min_particles", "max_particles"}, {"min_mass", "max_mass"}
        if not given or (given & particles and given & masses):
            raise ValueError(
                f"a halo sample needs limits on particles or on masses, not on both; given are "
                f"{', '.join(sorted(given)) or 'none'}."
            )
        for low, high in (("min_particles", "max_particles"), ("min_mass", "max_mass")):
            bounds = getattr(self, low), getattr(self, high)
            if None not in bounds and bounds[1] < bounds[0]:
                raise ValueError(f"{high} {bounds[1]:g} is below {low} {bounds[0]:g}; swap them.")
        return self


class TrainingSettings(Section):
    """The network and how it is trained (paper §2.1 and §2.2)."""

    cell_size: PositiveFloat = Field(
        description="Side of the cells in which model and halos are compared [Mpc/h]."
    )
    subsample: float = Field(
        gt=0, le=1, description="Fraction of each cell's particles that one network sees."
    )
    sampling: Literal["even", "random"] = Field(
        description="How they are drawn: `random` as in the paper, or `even`ly over Lagrangian "
        "space, which needs a quarter of the particles for the same result."
    )
    hidden_layers: PositiveInt = Field(description="Hidden layers.")
    width: PositiveInt = Field(description="Neurons per hidden layer.")
    epochs: PositiveInt = Field(description="Passes over the training set.")
    learning_rate: PositiveFloat = Field(lt=1, description="Adam's learning rate in epoch 1.")
    learning_rate_decay: float = Field(
        gt=0, le=1, description="Factor on the learning rate after every epoch."
    )
    cells_per_batch: PositiveInt = Field(description="Cells in one optimiser step.")
    fixed_batches: bool = Field(
        description="Draw the batches once instead of anew every epoch (the paper's text)."
    )
    loss: Literal["squared"] = Field(
        description="Loss between model and halo field, registered in `lagbias.training.losses`."
    )
    constraint: Literal["normalise", "fixed_sample", "per_batch", "none"] = Field(
        description="How ⟨f⟩ = 1 is imposed: `normalise` exactly, `fixed_sample` the authors' "
        "penalty, `per_batch` the paper's text, `none`."
    )
    constraint_sample: PositiveInt = Field(
        description="Particles in the sample of the `fixed_sample` penalty."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        description="Where to train; `auto` is CUDA where there is one."
    )
    cuda_graphs: bool = Field(
        default=False,
        description="Whether a GPU replays recorded training steps, which saves the time to start "
        "their kernels. Never run on a GPU yet; the CPU takes no notice of it.",
    )


class EvaluationSettings(Section):
    """The grid on which spectra are measured."""

    grid: int = Field(ge=8, le=2048, description="Cloud-in-cell grid points per side.")


class LeastSquaresSettings(Section):
    """The least-squares estimate of f in bins of δ and ∇²δ, with which networks are compared."""

    delta_bins: PositiveInt = Field(description="Bins of normalised δ (paper: 40).")
    delta_range: list[float] = Field(
        min_length=2, max_length=2, description="Lowest and highest edge of these bins."
    )
    percentiles: list[float] = Field(
        min_length=2, description="Percentiles of ∇²δ that divide each bin of δ, from 0 to 100."
    )
    min_particles: PositiveInt = Field(
        description="Fewest particles in a bin; sparser bins of δ are merged with their neighbours."
    )

    @model_validator(mode="after")
    def _check(self):
        if self.delta_range[0] >= self.delta_range[1]:
            raise ValueError(f"delta_range {self.delta_range} must rise.")
        rising = all(a < b for a, b in pairwise(self.percentiles))
        if not rising or (self.percentiles[0], self.percentiles[-1]) != (0, 100):
            raise ValueError(f"percentiles {self.percentiles} must rise from 0 to 100.")
        return self


class GradientPCASettings(Section):
    """The principal components of ∇f (paper §4)."""

    particles: int = Field(ge=1000, description="Particles at which ∇f is taken (paper: 10⁶).")


class FigureSets(Section):
    """Which smoothing sets the figures compare."""

    single_scale: Name = Field(description="The set of one radius (paper: 1Rf).")
    multi_scale: Name = Field(description="The set of several radii (paper: 3Rf).")
    coarse: list[Name] = Field(min_length=1, description="Sets coarsely spaced in R_f.")
    fine: list[Name] = Field(min_length=1, description="Sets finely spaced in R_f.")
    retrained: list[Name] = Field(
        min_length=1, description="Sets whose networks are retrained on two components of ∇f."
    )
    retrained_losses: Name = Field(
        description="The retrained set whose losses are shown (paper: 5Rf_fine)."
    )
    components: list[Name] = Field(
        min_length=1, description="Sets whose first component of ∇f is shown."
    )
    nested: list[Name] = Field(
        description="Sets also trained on n δ, the ∇²δ of the smallest radius and n G2, to test "
        "footnote 1 of the paper; may be empty."
    )
    thin: Name = Field(description="The set of the thin mass ranges.")

    def names(self) -> set[str]:
        """Return every set that is named."""
        named = (getattr(self, name) for name in type(self).model_fields)
        return {n for value in named for n in ([value] if isinstance(value, str) else value)}

    def compared(self) -> list[str]:
        """Return the coarse and the fine sets, each once."""
        return list(dict.fromkeys([*self.coarse, *self.fine]))

    def of_the_paper(self) -> list[str]:
        """Return the sets that the paper's claims are about, each once, without the thin one."""
        return list(dict.fromkeys([self.single_scale, self.multi_scale, *self.compared()]))
