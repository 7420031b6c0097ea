"""Sections of the configuration, each with the checks of its own values."""

from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, get_args

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

from lagbias.schema.file_names import ARRAY_FORM, numbered_files, split_array

__all__ = [
    "AbacusSettings",
    "BeyondSettings",
    "BeyondVariant",
    "Boxes",
    "EmbeddedSettings",
    "EvaluationSettings",
    "FigureSets",
    "FileBox",
    "FilesSettings",
    "GalaxySettings",
    "GradientPCASettings",
    "HaloFiles",
    "HaloSample",
    "LeastSquaresSettings",
    "Name",
    "PositiveNumber",
    "Section",
    "Seed",
    "SourceSettings",
    "TrainingOverrides",
    "TrainingSettings",
    "Variant",
    "section_of",
]


def _refuse_bool(value: Any) -> Any:
    """Reject true and false, which pydantic converts to 1 and 0."""
    if isinstance(value, bool):
        raise PydanticCustomError("bool_for_number", "Input should be a number, not a boolean")
    return value


def _refuse_other_arrays(value: Any) -> Any:
    """Reject text that does not name an array in a file."""
    if isinstance(value, str):
        try:
            split_array(value)
        except ValueError:
            raise PydanticCustomError("array_name", f"Input should be {ARRAY_FORM}") from None
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


# An array in a file, such as `ics/box0.h5:delta`.
ArrayName = Annotated[str, BeforeValidator(_refuse_other_arrays)]


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
    kept_fraction: Number = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Fraction of the particles of subsample A that is read, a random one. "
        "Everything after the reading costs in proportion.",
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


class SourceSettings(Section):
    """What the settings of every source have whose boxes are read by one function."""

    box_size: PositiveNumber = Field(description="Side of the periodic boxes [Mpc/h].")
    particles_per_side: Integer = Field(
        ge=2,
        le=4096,
        description="Particles per side of the lattice of the initial conditions; also if the "
        "files have only some of them.",
    )
    density_grid: Integer = Field(
        ge=16, le=1152, description="Grid points per side of the linear density."
    )
    redshift: Number = Field(ge=0, le=20, description="Redshift of the snapshot.")
    min_halo_particles: PositiveInteger = Field(
        description="Minimum particles of a stored halo; `halo_samples` may raise it."
    )
    kept_fraction: Number = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Fraction of the particles that is kept once halos are found. Everything after "
        "the reading costs in proportion.",
    )

    def input_files(self, box: str) -> list[str]:
        """Return the files of a box, which is read again when one of them changes."""
        return []


class HaloFiles(Section):
    """A halo catalogue: arrays with one row for each halo."""

    positions: ArrayName = Field(
        description="Centres, of shape (halos, 3) [`length_unit`], in the coordinates of particles."
    )
    masses: ArrayName = Field(description="Masses [`mass_unit`].")
    particles: ArrayName | None = Field(
        default=None, description="Numbers of particles; mass / `particle_mass` if absent."
    )
    velocities: ArrayName | None = Field(
        default=None,
        description="Peculiar velocities, of shape (halos, 3) [km/s], for redshift space.",
    )


class FileBox(Section):
    """Files of one box. An array is `file.npy`, `file.npz:name` or `file.h5:dataset`."""

    linear_density: ArrayName = Field(
        description="Linear δ of shape (n, n, n) with n = `density_grid` and the axes x, y, z; "
        "[i, j, k] is at `origin` + (i, j, k) `box_size` / n."
    )
    snapshot: str | None = Field(
        default=None,
        min_length=1,
        description="Snapshot of a simulation code, instead of the arrays of particles below. Of "
        "a snapshot in several files the first one, such as `snap_005.0.hdf5`.",
    )
    format: Literal["gadget4", "swift"] | None = Field(
        default=None,
        description="Format of `snapshot`: HDF5 of Gadget-4, or SWIFT (needs swiftsimio).",
    )
    positions: ArrayName | None = Field(
        default=None,
        description="Final positions of particles, of shape (particles, 3) [`length_unit`].",
    )
    velocities: ArrayName | None = Field(
        default=None,
        description="Peculiar velocities of these particles [km/s], for redshift space and for "
        "the velocities of halos that are found here.",
    )
    particle_ids: ArrayName | None = Field(
        default=None,
        description="Number of each particle on the lattice of the initial conditions, see "
        "`particle_order`. Without it, and without `lagrangian_index`, the rows of `positions` are "
        "in this order.",
    )
    lagrangian_index: ArrayName | None = Field(
        default=None,
        description="Flat index (C order, from 0) of the node of `linear_density` that each "
        "particle started from, instead of `particle_ids`.",
    )
    halos: HaloFiles | None = Field(
        default=None, description="Halos, if `halo_finder` is `catalogue`."
    )

    @model_validator(mode="after")
    def _check(self):
        if (self.snapshot is None) == (self.positions is None):
            given = "neither is" if self.snapshot is None else "both are"
            raise ValueError(f"{given} given: name either a snapshot or an array of positions.")
        if (self.snapshot is None) != (self.format is None):
            raise ValueError(
                f"snapshot = {self.snapshot} and format = {self.format}: give both, or neither."
            )
        if self.lagrangian_index and (self.particle_ids or self.snapshot):
            raise ValueError(
                f"lagrangian_index = {self.lagrangian_index} repeats what the particle IDs say. "
                f"Remove one of them."
            )
        if self.snapshot and (self.particle_ids or self.velocities):
            raise ValueError(
                "particle_ids and velocities belong to an array of positions; a snapshot has its "
                "own. Remove them."
            )
        return self

    def files(self) -> list[str]:
        """Return the paths of all files."""
        arrays = [self.linear_density, self.positions, self.velocities]
        arrays += [self.particle_ids, self.lagrangian_index]
        if self.halos:
            arrays += [value for _, value in self.halos]
        named = [str(split_array(array)[0]) for array in arrays if array]
        snapshot = map(str, numbered_files(self.snapshot)) if self.snapshot else ()
        return list(dict.fromkeys([*named, *snapshot]))


class FilesSettings(SourceSettings):
    """Boxes of any simulation, read from files: arrays, or snapshots of Gadget-4 or SWIFT."""

    omega_m: PositiveNumber = Field(lt=2, description="Total matter density today.")
    growth: PositiveNumber | None = Field(
        default=None,
        description="D(`redshift`) / D(0); that of a flat ΛCDM model with `omega_m` if absent.",
    )
    density_redshift: Number | None = Field(
        default=None,
        ge=0,
        le=1000,
        description="Redshift of `linear_density` if it is not `redshift`: it is scaled by the "
        "growth of a flat ΛCDM model with `omega_m`.",
    )
    particle_mass: PositiveNumber | None = Field(
        default=None,
        description="Mass of a particle [Msun/h]; that of the snapshot if absent, or for arrays "
        "the matter of the box divided by the particles of the lattice.",
    )
    origin: Number = Field(
        default=0.0,
        description="Coordinate [Mpc/h] of the corner of the box where node [0, 0, 0] of "
        "`linear_density` is, such as 0 or -`box_size` / 2.",
    )
    length_unit: PositiveNumber = Field(
        default=1.0,
        description="Unit of lengths in arrays [Mpc/h]: 0.001 for kpc/h, the value of h for Mpc. "
        "Snapshots state their own.",
    )
    mass_unit: PositiveNumber = Field(
        default=1.0, description="Unit of `masses` in catalogues [Msun/h], such as 1.0e+10."
    )
    particle_order: Literal["C", "Fortran"] = Field(
        default="C",
        description="Order of particle IDs on the lattice: `C` if neighbours along z have "
        "consecutive IDs, `Fortran` if those along x have.",
    )
    first_id: Integer = Field(
        default=0, ge=0, description="The ID of the particle at the corner of the box, 0 or 1."
    )
    halo_finder: Literal["catalogue", "friends_of_friends"] = Field(
        description="Whether halos are read from `halos` of each box, or found by friends of "
        "friends, which needs all particles of the simulation."
    )
    linking_length: Number | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Friends-of-friends linking length [mean interparticle separation].",
    )
    kept_sampling: Literal["even", "random"] = Field(
        default="even",
        description="How kept particles are chosen: `even` in Lagrangian space, which adds little "
        "noise on large scales, or at `random` as in AbacusSummit.",
    )
    boxes: dict[Name, FileBox] = Field(min_length=1, description="Files of each box, by its name.")

    def input_files(self, box: str) -> list[str]:
        """Return the files of a box, which is read again when one of them changes."""
        return self.boxes[box].files()

    @model_validator(mode="after")
    def _check(self):
        found = self.halo_finder == "friends_of_friends"
        if found and self.linking_length is None:
            raise ValueError(
                "halo_finder = friends_of_friends needs a linking_length, such as 0.2."
            )
        for name, box in self.boxes.items():
            if found == (box.halos is not None):
                remedy = "Remove halos" if found else "Name its arrays in halos"
                raise ValueError(
                    f"boxes.{name}: halo_finder = {self.halo_finder}. {remedy}, or choose the "
                    f"other halo_finder."
                )
            others = [other for other, content in self.boxes.items() if content == box]
            if len(others) > 1:
                raise ValueError(f"boxes {' and '.join(others)} have the same files. Correct them.")
        self._check_grids()
        return self

    def _check_grids(self) -> None:
        """Raise ValueError if particles cannot be thinned, or have no node of their own."""
        by_node = [name for name, box in self.boxes.items() if box.lagrangian_index]
        if self.kept_fraction < 1 and by_node and self.density_grid != self.particles_per_side:
            raise ValueError(
                f"kept_fraction = {self.kept_fraction:g} needs particle_ids instead of "
                f"lagrangian_index in box {by_node[0]}, because density_grid = "
                f"{self.density_grid} and particles_per_side = {self.particles_per_side} differ."
            )
        if self.particles_per_side < self.density_grid:
            raise ValueError(
                f"density_grid = {self.density_grid} exceeds particles_per_side = "
                f"{self.particles_per_side}. Give the linear density on a grid of at most that."
            )


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
    joint: list[Name] = Field(
        default_factory=list,
        description="Boxes whose particles train together with those of the first training box; "
        "may be empty.",
    )

    @model_validator(mode="after")
    def _check(self):
        lists = {"train": self.train, "validation": self.validation, "joint": self.joint}
        for key, names in lists.items():
            if len(set(names)) < len(names):
                raise ValueError(f"{key} = {names} repeats a box. List each box once.")
        if self.train[0] in self.validation:
            raise ValueError(
                f"{self.train[0]} is both the main training box and a validation box. Validate on "
                f"boxes that are not used for training."
            )
        for box in self.joint:
            if box in (self.train[0], *self.validation):
                raise ValueError(
                    f"joint names {box}, which is the main training box or a validation box. "
                    f"Name other boxes."
                )
        if self.validation[0] in self.train:
            raise ValueError(
                f"the main validation box {self.validation[0]} is also a training box. List "
                f"another box first."
            )
        return self


class GalaxySettings(Section):
    """Occupation of halos with central and satellite galaxies (Zheng et al. 2007)."""

    log_min_mass: Number = Field(
        description="log₁₀ of the mass [Msun/h] at which half of the halos have a central galaxy."
    )
    sigma: PositiveNumber = Field(
        description="Width of the step at `log_min_mass` [decades of mass]."
    )
    log_cut_mass: Number = Field(
        description="log₁₀ of the mass [Msun/h] below which halos have no satellites."
    )
    log_mass_1: Number = Field(
        description="log₁₀ of the mass above the cut [Msun/h] with one satellite on average."
    )
    alpha: PositiveNumber = Field(
        description="Power of the mass above the cut that the number of satellites follows."
    )
    seed: Seed = Field(default=0, description="Seed of the galaxies.")


class HaloSample(Section):
    """A halo sample, selected by particle number or by mass, and the weights of its field."""

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
    weighting: Literal["mass", "number"] = Field(
        default="mass",
        description="Weights of the field: halo `mass` as in the paper, or `number`, one for each "
        "halo or galaxy.",
    )
    galaxies: GalaxySettings | None = Field(
        default=None,
        description="Galaxies that populate these halos and make up the field in their place; "
        "needs weighting = number.",
    )

    def limits(self) -> dict[str, float | None]:
        """Return the limits, as arguments of `lagbias.grids.halo_field.select`."""
        names = ("min_particles", "max_particles", "min_mass", "max_mass")
        return {name: getattr(self, name) for name in names}

    @model_validator(mode="after")
    def _check(self):
        given = {name for name, value in self.limits().items() if value is not None}
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
        if self.galaxies and self.weighting != "number":
            raise ValueError(
                f"weighting = {self.weighting}, but galaxies are counted. Set weighting = number."
            )
        return self


#: Particles of sub-samples that are read together: three of the paper's, whose inputs take 1.7 GB.
_PARTICLES_AT_ONCE = 4.7e7


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
    combinations: Integer = Field(
        ge=0,
        description="Linear combinations of its inputs that a network takes in, learned with it, "
        "at most `width`; 0 means the inputs themselves, as in the paper, and so does any number "
        "that is not below theirs.",
    )
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
    # chosen on trial boxes, docs/beyond.md
    EVALUATIONS_PER_ROUND: ClassVar[int] = 15
    fourier_rounds: Integer = Field(
        ge=0,
        description=f"Rounds of {EVALUATIONS_PER_ROUND} full-batch evaluations of the "
        "Fourier-space loss, minimised with L-BFGS after the epochs; 0 trains as in the paper. Of "
        "boxes that train together all have the rounds, the first one alone the epochs.",
    )
    fourier_cut: PositiveNumber = Field(
        description="k_c of the filter exp(-(k/k_c)⁴) of this loss [h/Mpc]."
    )
    fourier_power_weight: Number = Field(
        ge=0,
        description="Weight of (P_model/P_h - 1)² in this loss, averaged over bins of k, beside "
        "the residual power; 0 gives a regression.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        description="Device for training; `auto` uses CUDA if available."
    )

    @model_validator(mode="after")
    def _check(self):
        if self.combinations > self.width:
            raise ValueError(
                f"combinations = {self.combinations} exceeds width = {self.width}, the largest "
                "rank of the first layer. Lower it, or use 0 for all inputs."
            )
        if self.fourier_rounds and self.constraint != "normalise":
            raise ValueError(
                f"fourier_rounds = {self.fourier_rounds} needs constraint = normalise, not "
                f"{self.constraint}. Change one of them."
            )
        return self

    def boxes_with_epochs(self, boxes: int) -> int:
        """Return how many of the boxes that train together have the epochs, the first ones."""
        return min(1, boxes) if self.fourier_rounds else boxes

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


class BeyondVariant(Variant):
    """Networks of the comparison that are trained otherwise than in the paper."""

    joint: list[Name] = Field(
        default_factory=list,
        description="Boxes that train together with the first training box; may be empty.",
    )
    start_from: Literal["full"] | None = Field(
        default=None,
        description="Networks whose weights the rounds of the Fourier-space loss start from, seed "
        "by seed, instead of epochs of their own: `full`, those of the paper's loss.",
    )


class BeyondSettings(Section):
    """The comparison of models beyond the paper: `snakemake beyond`."""

    validation: list[Name] = Field(
        min_length=2, description="Boxes that models are compared on, used for nothing else."
    )
    variants: dict[Name, BeyondVariant] = Field(
        default_factory=dict,
        description="Networks trained otherwise, by a name of your choice; figures show the first.",
    )
    transfer: dict[Name, list[Name]] = Field(
        min_length=1,
        description="Sets of networks, `full` or one of the variants, that are also compared with "
        "transfer functions, which give them the power and the bispectrum of the halos.",
    )
    fit_boxes: list[Name] = Field(
        min_length=1,
        description="Boxes that transfer functions and baselines are fitted to. Those that train "
        "networks have errors that are too small, and their T with them.",
    )
    samples: list[Name] = Field(
        default_factory=list,
        description="Further halo samples that networks of the paper's loss are trained on, with "
        "`figure_sets.multi_scale`.",
    )
    baseline_set: Name = Field(description="The set of one radius that all baselines take in.")
    pdf_radii: list[PositiveNumber] = Field(
        min_length=1,
        description="Gaussian smoothing radii of the one-point distributions [Mpc/h].",
    )
    bispectrum_width: PositiveInteger = Field(
        description="Width of the shells of the bispectrum [2π/L]."
    )
    bispectrum_k_max: PositiveNumber = Field(
        description="Largest wavenumber of its triangles [h/Mpc]; at most 2/3 of the Nyquist "
        "wavenumber of the evaluation grid."
    )


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
