"""Typed configuration of a run, checked before anything is computed.

Definitions are mappings, which a ``--configfile`` on top of the default merges; selections are
lists, which it replaces. Threads, memory and executors are no business of this module: they live
in Snakemake profiles.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

from lagbias.config_checks import did_you_mean, inconsistencies

__all__ = [
    "Boxes",
    "Config",
    "ConfigError",
    "EmbeddedSettings",
    "EvaluationSettings",
    "FigureSets",
    "HaloSample",
    "TrainingSettings",
    "format_radius",
    "load",
]

#: Names that appear in paths.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+\-]*$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class ConfigError(ValueError):
    """The configuration is not usable; the message names the key, the value and the remedy."""


class _Section(BaseModel):
    # not strict: `snakemake --config 'seeds=[0, 1]'` hands over the text of each number
    model_config = ConfigDict(extra="forbid", frozen=True)


class EmbeddedSettings(_Section):
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


class Boxes(_Section):
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


class HaloSample(_Section):
    """Which halos make the target field, weighted by mass."""

    min_particles: PositiveInt = Field(description="Fewest particles of a halo in the sample.")
    max_particles: PositiveInt | None = Field(
        default=None, description="Most particles of a halo in the sample; no limit when absent."
    )

    @model_validator(mode="after")
    def _check(self):
        if self.max_particles is not None and self.max_particles < self.min_particles:
            raise ValueError(
                f"max_particles {self.max_particles} is below min_particles {self.min_particles}; "
                f"swap them."
            )
        return self


class TrainingSettings(_Section):
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
        description="Loss between model and halo field, registered in `lagbias.losses`."
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


class EvaluationSettings(_Section):
    """The grid on which spectra are measured."""

    grid: int = Field(ge=8, le=2048, description="Cloud-in-cell grid points per side.")


class FigureSets(_Section):
    """Which smoothing sets the figures compare."""

    single_scale: Name = Field(description="The set of one radius (paper: 1Rf).")
    multi_scale: Name = Field(description="The set of several radii (paper: 3Rf).")
    coarse: list[Name] = Field(min_length=1, description="Sets coarsely spaced in R_f.")
    fine: list[Name] = Field(min_length=1, description="Sets finely spaced in R_f.")

    def names(self) -> set[str]:
        """Return every set that is named."""
        return {self.single_scale, self.multi_scale, *self.coarse, *self.fine}


class Config(_Section):
    """A whole run."""

    run: Name = Field(description="Name of the run; results go to `results/<run>/`.")
    source: Literal["embedded"] = Field(description="Where the simulations come from.")
    embedded: EmbeddedSettings = Field(description="The pipeline's own simulations.")
    boxes: Boxes = Field(description="Which boxes train and which validate.")
    smoothing_sets: dict[Name, list[PositiveFloat]] = Field(
        min_length=1, description="Radii R_f of each set of Gaussian smoothing scales [Mpc/h]."
    )
    halo_samples: dict[Name, HaloSample] = Field(
        min_length=1, description="Halo samples by particle number."
    )
    sample: Name = Field(description="The halo sample that the figures show.")
    training: TrainingSettings = Field(description="The network and how it is trained.")
    seeds: list[Seed] = Field(
        description="One network per seed: its sub-sample of particles and its initial weights.",
    )
    evaluation: EvaluationSettings = Field(description="The grid on which spectra are measured.")
    figure_sets: FigureSets = Field(description="Which smoothing sets the figures compare.")
    figures: list[Name] = Field(min_length=1, description="Figures to draw.")

    @model_validator(mode="after")
    def _check(self):
        if problems := list(inconsistencies(self)):
            raise ValueError(" ".join(problems))
        return self

    def settings(self):
        """Return the settings of the chosen source."""
        return getattr(self, self.source)

    def box_names(self) -> list[str]:
        """Return the boxes in use, training boxes first, each once."""
        return list(dict.fromkeys([*self.boxes.train, *self.boxes.validation]))


def format_radius(radius: float) -> str:
    """Write a smoothing radius as it appears in paths: ``2.83``, ``8``.

    Parameters
    ----------
    radius : float
        R_f [Mpc/h].
    """
    return f"{radius:g}"


def load(raw: Mapping) -> Config:
    """Check a configuration.

    Parameters
    ----------
    raw : mapping
        What the YAML files merge to.

    Returns
    -------
    Config
        The typed configuration.

    Raises
    ------
    ConfigError
        If a key is unknown or missing, a value is of the wrong type or out of range, or two values
        contradict each other: one paragraph with each key, its value and the remedy.
    """
    try:
        return Config.model_validate(dict(raw))
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    """Turn pydantic's list of errors into sentences of key, value and remedy."""
    sentences = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"] if part != "[key]")
        if item["type"] == "extra_forbidden":
            known = _known_keys(item["loc"][:-1])
            hint = did_you_mean(str(item["loc"][-1]), known)
            text = f"{key} is no configuration key{hint} Keys here: {', '.join(known)}."
        elif item["type"] == "missing":
            text = f"{key} is missing. Add it; config/README.md says what it means."
        elif item["type"] == "value_error":
            text = str(item["ctx"]["error"])
            text = f"{key}: {text}" if key else text
        else:
            message = item["msg"][0].lower() + item["msg"][1:]
            text = f"{key} = {item['input']!r}: {message}. config/README.md says what it may be."
        sentences.append(text)
    return "The configuration cannot be used. " + " ".join(sentences)


def _known_keys(location: tuple) -> list[str]:
    """Return the keys of the section at a location in the configuration."""
    section: Any = Config
    for part in location:
        annotation = section.model_fields[part].annotation if part in section.model_fields else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            section = annotation
        elif part == "halo_samples":
            section = HaloSample
    return list(section.model_fields)
