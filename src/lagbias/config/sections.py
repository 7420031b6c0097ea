"""Sections of the configuration, each with the checks of its own values."""

from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

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
    "PositiveNumber",
    "Section",
    "Seed",
    "TrainingSettings",
    "Variant",
    "section_of",
]


def _refuse_bool(value: Any) -> Any:
    """Reject true and false, which pydantic converts to 1 and 0."""
    if isinstance(value, bool):
        raise PydanticCustomError("bool_for_number", "Input should be a number, not a boolean")
    return value


# constraints come first: the JSON Schema lacks those that follow a validator
_NO_BOOL = BeforeValidator(_refuse_bool)
Integer = Annotated[int, _NO_BOOL]
Number = Annotated[float, _NO_BOOL]
PositiveInteger = Annotated[int, Field(gt=0), _NO_BOOL]
PositiveNumber = Annotated[float, Field(gt=0), _NO_BOOL]
Seed = Annotated[int, Field(ge=0, lt=2**31), _NO_BOOL]
# Names become parts of paths. With what the workflow appends to them, a path component could
# exceed the 255 bytes that file systems allow if a name were longer.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+\-]*$", max_length=48)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values are immutable, numbers are finite."""

    # not strict: `snakemake --config 'seeds=[0, 1]'` passes numbers as text
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model in an annotation: itself, an optional one, or the values of a mapping."""
    candidates = [annotation, *get_args(annotation)]
    models = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
    return models[0] if models else None


class EmbeddedSettings(Section):
    """The pipeline's own N-body simulations."""

    box_size: PositiveNumber = Field(description="Side of the periodic box [Mpc/h].")
    particles_per_side: Integer = Field(
        ge=16, le=1024, description="Particles, and cells of the initial density, per side."
    )
    redshift: Number = Field(ge=0, le=10, description="Redshift of the snapshot.")
    initial_redshift: Number = Field(
        gt=1, le=200, description="Redshift of the 2LPT initial conditions."
    )
    steps: PositiveInteger = Field(description="Time steps, equally spaced in the growth factor.")
    linking_length: Number = Field(
        gt=0,
        lt=1,
        description="Friends-of-friends linking length [mean interparticle separation].",
    )
    min_halo_particles: Integer = Field(
        ge=2,
        description="Minimum particles of a stored halo; `halo_samples` may raise it.",
    )
    kept_fraction: Number = Field(
        gt=0,
        le=1,
        description="Fraction of the particles that is kept once halos are found; AbacusSummit "
        "keeps 0.03. Everything after the simulation costs in proportion.",
    )
    kept_sampling: Literal["even", "random"] = Field(
        description="How kept particles are chosen: `even` in Lagrangian space, which adds little "
        "noise on large scales, or at `random` as in AbacusSummit."
    )
    boxes: dict[Name, Seed] = Field(
        min_length=2, description="Seed of the initial conditions of each box, by name."
    )

    @property
    def density_grid(self) -> int:
        """Grid points per side of the initial density: one per particle."""
        return self.particles_per_side

    @model_validator(mode="after")
    def _check(self):
        if self.initial_redshift <= self.redshift:
            raise ValueError(
                f"initial_redshift = {self.initial_redshift:g} is not above redshift = "
                f"{self.redshift:g}. Start earlier, for example at 19."
            )
        if len(set(self.boxes.values())) < len(self.boxes):
            raise ValueError(
                f"boxes = {self.boxes}: boxes with the same seed are identical. Give each box its "
                f"own seed."
            )
        return self


class AbacusSettings(Section):
    """AbacusSummit boxes: which simulations, where their files are, and which products are used."""

    directory: str = Field(
        min_length=1, description="Root of the local copy, with the directory tree of AbacusSummit."
    )
    base_url: str = Field(
        pattern=r"^https?://[^/\s]+",
        description="URL of the root of AbacusSummit; missing files are downloaded from it.",
    )
    link_from: str | None = Field(
        default=None,
        min_length=1,
        description="Root of an existing copy (NERSC, a mirror, a Globus transfer). Files are "
        "linked from it and nothing is downloaded.",
    )
    globus_collection: str = Field(
        default="",
        description="Globus collection that holds the tree; `inventory` writes a batch file of "
        "the missing files for it.",
    )
    verify: bool = Field(default=True, description="Whether to verify checksums of linked files.")
    redshift: Number = Field(ge=0, le=10, description="Redshift of the snapshot.")
    box_size: PositiveNumber = Field(
        description="Side of the boxes [Mpc/h]; must match the file headers."
    )
    particles_per_side: Integer = Field(
        ge=2, description="Particles of the simulation per side; must match the file headers."
    )
    density_grid: Integer = Field(
        ge=16,
        le=1152,
        description="Grid points per side of the initial density; 576 if small.",
    )
    cleaned: bool = Field(
        default=False,
        description="Whether to use the cleaned halo catalogue; few small boxes have one.",
    )
    small: bool = Field(
        default=True, description="Whether the boxes are AbacusSummit small boxes (500 Mpc/h)."
    )
    min_halo_particles: PositiveInteger = Field(
        description="Minimum particles of a stored halo; `halo_samples` may raise it."
    )
    boxes: dict[Name, Name] = Field(
        min_length=2, description="Simulation of each box, by name of the box."
    )
    repeated_simulations: bool = Field(
        default=False,
        description="Whether boxes may share a simulation; for tests of the pipeline only.",
    )

    @model_validator(mode="after")
    def _check(self):
        shared = len(set(self.boxes.values())) < len(self.boxes)
        if shared and not self.repeated_simulations:
            raise ValueError(
                f"boxes = {self.boxes}: boxes of the same simulation would validate networks on "
                f"their training data. Give each box its own simulation."
            )
        if self.particles_per_side < self.density_grid:
            raise ValueError(
                f"density_grid = {self.density_grid} exceeds particles_per_side = "
                f"{self.particles_per_side}. Small boxes have 576 and 1728."
            )
        return self


class Boxes(Section):
    """Training and validation boxes."""

    train: list[Name] = Field(
        min_length=1,
        description="Training boxes. The first one trains every smoothing set; the others train "
        "only `figure_sets.multi_scale` and `figure_sets.cut`, to measure the scatter between "
        "training boxes.",
    )
    validation: list[Name] = Field(
        min_length=1, description="Validation boxes; the first one is the main validation box."
    )

    @model_validator(mode="after")
    def _check(self):
        for key, names in (("train", self.train), ("validation", self.validation)):
            if len(set(names)) < len(names):
                raise ValueError(f"{key} = {names} repeats a box. List each box once.")
        if self.train[0] in self.validation:
            raise ValueError(
                f"{self.train[0]} is both the main training box and a validation box. Validate on "
                f"boxes that are not used for training."
            )
        if self.validation[0] in self.train:
            raise ValueError(
                f"the main validation box {self.validation[0]} is also a training box. List "
                f"another box first."
            )
        return self


class HaloSample(Section):
    """A halo sample, selected by particle number or by mass; its field is mass weighted."""

    min_particles: PositiveInteger | None = Field(
        default=None, description="Minimum number of particles of a halo."
    )
    max_particles: PositiveInteger | None = Field(
        default=None, description="Maximum number of particles of a halo; unlimited if absent."
    )
    min_mass: PositiveNumber | None = Field(default=None, description="Minimum halo mass [Msun/h].")
    max_mass: PositiveNumber | None = Field(
        default=None, description="Maximum halo mass [Msun/h]; unlimited if absent."
    )

    @model_validator(mode="after")
    def _check(self):
        given = {name for name, value in self if value is not None}
        particles, masses = {"min_particles", "max_particles"}, {"min_mass", "max_mass"}
        if not given or (given & particles and given & masses):
            raise ValueError(
                f"a halo sample needs limits on either particles or mass, but has "
                f"{', '.join(sorted(given)) or 'none'}."
            )
        for low, high in (("min_particles", "max_particles"), ("min_mass", "max_mass")):
            bounds = getattr(self, low), getattr(self, high)
            if None not in bounds and bounds[1] < bounds[0]:
                raise ValueError(
                    f"{high} = {bounds[1]:g} is below {low} = {bounds[0]:g}. Swap the limits."
                )
        return self


#: Particles of sub-samples that are read together: their inputs take half a gigabyte.
_PARTICLES_AT_ONCE = 1e7


class TrainingSettings(Section):
    """The network and its training (paper §2.1 and §2.2)."""

    cell_size: PositiveNumber = Field(
        description="Side of the cells in which model and halo field are compared [Mpc/h]."
    )
    subsample: Number = Field(
        gt=0, le=1, description="Fraction of the particles of each cell that one network uses."
    )
    sampling: Literal["even", "random"] = Field(
        description="How particles are subsampled: `random` as in the paper, or `even` in "
        "Lagrangian space, which needs a quarter of the particles for the same accuracy."
    )
    hidden_layers: PositiveInteger = Field(description="Number of hidden layers.")
    width: PositiveInteger = Field(description="Neurons per hidden layer.")
    epochs: PositiveInteger = Field(description="Passes over the training set.")
    validation_interval: PositiveInteger = Field(
        description="Epochs between measurements of the loss on the validation box, counted back "
        "from the last epoch."
    )
    learning_rate: PositiveNumber = Field(
        lt=1, description="Learning rate of Adam in the first epoch."
    )
    learning_rate_decay: Number = Field(
        gt=0, le=1, description="Factor by which the learning rate decays after every epoch."
    )
    cells_per_batch: PositiveInteger = Field(description="Cells per optimiser step.")
    fixed_batches: bool = Field(
        description="Whether all epochs use the same batches, as in the paper's text, instead of "
        "new ones every epoch."
    )
    loss: Literal["squared"] = Field(
        description="Loss between model and halo field, registered in `lagbias.training.losses`."
    )
    constraint: Literal["normalise", "fixed_sample", "per_batch", "none"] = Field(
        description="How ⟨f⟩ = 1 is imposed: `normalise` divides by the mean, `fixed_sample` and "
        "`per_batch` are the penalties of the authors' code and of the paper's text, `none` is no "
        "constraint."
    )
    constraint_sample: PositiveInteger = Field(
        description="Number of particles in the sample of the `fixed_sample` penalty."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        description="Device for training; `auto` uses CUDA if available."
    )

    def networks_at_once(self, box_particles: float, threads: int = 1) -> int:
        """Return the number of networks whose sub-samples a job holds in memory together.

        Parameters
        ----------
        box_particles : float
            Particles in the training box.
        threads : int
            Networks trained at the same time.
        """
        return max(threads, int(_PARTICLES_AT_ONCE / (self.subsample * box_particles)), 1)


#: Settings of a training, none of them required. All use the cells of the halo fields.
TrainingOverrides = create_model(
    "TrainingOverrides",
    __base__=Section,
    __doc__="Settings of a training that replace those of the section `training`.",
    **{
        name: Annotated[
            field.annotation | None,
            *field.metadata,
            Field(default=None, description=field.description),
        ]
        for name, field in TrainingSettings.model_fields.items()
        if name != "cell_size"
    },
)


class Variant(Section):
    """Networks trained otherwise: `larger` tests claim C37, `longer` C38, `unconstrained` C39."""

    sets: list[Name] = Field(min_length=1, description="Sets trained so, on all features.")
    training: TrainingOverrides = Field(
        description="The keys of `training` that differ, all but `cell_size`."
    )

    def overrides(self) -> dict[str, Any]:
        """Return the settings that replace those of the section `training`."""
        return self.training.model_dump(exclude_none=True)


class EvaluationSettings(Section):
    """The grid of the power spectra."""

    grid: Integer = Field(ge=8, le=2048, description="Cloud-in-cell grid points per side.")


class LeastSquaresSettings(Section):
    """The least-squares estimate of f in bins of δ and ∇²δ, a reference for the networks."""

    delta_bins: PositiveInteger = Field(description="Bins of normalised δ (paper: 40).")
    delta_range: list[Number] = Field(
        min_length=2, max_length=2, description="Lowest and highest edge of these bins."
    )
    percentiles: list[Number] = Field(
        min_length=2,
        description="Percentiles of ∇²δ that divide each bin of δ, from 0 to 100.",
    )
    min_particles: PositiveInteger = Field(
        description="Minimum number of particles in a bin; sparser bins of δ are merged with "
        "their neighbours."
    )

    @model_validator(mode="after")
    def _check(self):
        if self.delta_range[0] >= self.delta_range[1]:
            raise ValueError(
                f"delta_range = {self.delta_range} is not increasing. Give the lowest edge first."
            )
        increasing = all(a < b for a, b in pairwise(self.percentiles))
        if not increasing or (self.percentiles[0], self.percentiles[-1]) != (0, 100):
            raise ValueError(f"percentiles = {self.percentiles} must increase from 0 to 100.")
        return self


class GradientPCASettings(Section):
    """The principal components of ∇f (paper §4)."""

    particles: Integer = Field(
        ge=1000, description="Number of particles at which ∇f is evaluated (paper: 10⁶)."
    )


class FigureSets(Section):
    """Smoothing sets compared in the figures."""

    single_scale: Name = Field(description="The set of one radius (paper: 1Rf).")
    multi_scale: Name = Field(description="The set of several radii (paper: 3Rf).")
    coarse: list[Name] = Field(min_length=1, description="Sets coarsely spaced in R_f.")
    fine: list[Name] = Field(min_length=1, description="Sets finely spaced in R_f.")
    retrained: list[Name] = Field(
        min_length=1, description="Sets retrained on the first two principal components of ∇f."
    )
    retrained_losses: Name = Field(
        description="The retrained set whose loss curves are plotted (paper: 5Rf_fine)."
    )
    components: list[Name] = Field(
        min_length=1, description="Sets whose first principal component of ∇f is plotted."
    )
    nested: list[Name] = Field(
        description="Sets also trained on n δ, n G2 and the ∇²δ of the smallest of their n radii, "
        "to test footnote 1 of the paper; may be empty."
    )
    cut: list[Name] = Field(
        description="Sets also trained on all directions above `eigenvalue_cut`, with every "
        "training box, to test footnote 2 of the paper; may be empty."
    )
    thin: Name = Field(description="The set of the thin mass ranges.")

    def names(self) -> set[str]:
        """Return the names of all sets in this section."""
        named = (getattr(self, name) for name in type(self).model_fields)
        return {n for value in named for n in ([value] if isinstance(value, str) else value)}

    def compared(self) -> list[str]:
        """Return the coarse and the fine sets, each once."""
        return list(dict.fromkeys([*self.coarse, *self.fine]))

    def of_the_paper(self) -> list[str]:
        """Return the sets of the paper's claims, each once, without that of the thin ranges."""
        return list(dict.fromkeys([self.single_scale, self.multi_scale, *self.compared()]))
