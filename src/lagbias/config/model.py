"""Typed configuration of a run, validated before anything is computed.

Definitions are mappings, which a ``--configfile`` on top of the default merges; selections are
lists, which it replaces. Threads, memory and executors belong to Snakemake profiles.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from lagbias.config.checks import inconsistencies
from lagbias.config.sections import (
    AbacusSettings,
    BeyondSettings,
    BeyondVariant,
    Boxes,
    EmbeddedSettings,
    EvaluationSettings,
    FigureSets,
    FilesSettings,
    GradientPCASettings,
    HaloSample,
    LeastSquaresSettings,
    Name,
    PositiveNumber,
    Section,
    Seed,
    TrainingSettings,
    Variant,
    section_of,
)
from lagbias.runtime.messages import did_you_mean, short_repr

__all__ = ["Config", "ConfigError", "format_radius", "load", "wrong_value"]

_FAILURE = "The configuration cannot be used."
#: Errors listed in one message.
MAX_ERRORS = 20


class ConfigError(ValueError):
    """The configuration is invalid; the message names key, value and remedy."""


class Config(Section):
    """A whole run."""

    run: Name = Field(description="Name of the run; results are written to `results/<run>/`.")
    source: Literal["embedded", "abacus", "files"] = Field(
        description="Source of the simulations, configured in the section of the same name."
    )
    embedded: EmbeddedSettings = Field(description="The pipeline's own N-body simulations.")
    abacus: AbacusSettings | None = Field(
        default=None, description="AbacusSummit boxes; required if they are the source."
    )
    files: FilesSettings | None = Field(
        default=None,
        description="Boxes of any simulation, read from files; required if they are the source.",
    )
    boxes: Boxes = Field(description="Training and validation boxes.")
    smoothing_sets: dict[Name, list[PositiveNumber]] = Field(
        min_length=1, description="Gaussian smoothing radii R_f of each smoothing set [Mpc/h]."
    )
    halo_samples: dict[Name, HaloSample] = Field(
        min_length=1, description="Halo samples, selected by particle number or by mass."
    )
    sample: Name = Field(description="Halo sample of all figures but `thin_mass_components`.")
    thin_samples: list[Name] = Field(
        min_length=1, description="Samples of thin mass ranges, in increasing mass (paper §5)."
    )
    training: TrainingSettings = Field(description="The network and its training.")
    seeds: list[Seed] = Field(
        description="One network per seed, which sets its subsample of particles and its initial "
        "weights."
    )
    variants: dict[Literal["larger", "longer", "unconstrained"], Variant] = Field(
        default_factory=dict, description="Networks trained otherwise, for single claims."
    )
    beyond: BeyondSettings | None = Field(
        default=None, description="The comparison with other models, beyond the paper."
    )
    evaluation: EvaluationSettings = Field(description="The grid of the power spectra.")
    least_squares: LeastSquaresSettings = Field(
        description="The least-squares estimate of f in bins of δ and ∇²δ."
    )
    gradient_pca: GradientPCASettings = Field(description="The principal components of ∇f.")
    eigenvalue_cut: PositiveNumber = Field(
        lt=1,
        description="Fraction of the largest eigenvalue of δ and ∇²δ, or of G2, above which "
        "networks of `figure_sets.cut` take in a direction.",
    )
    figure_sets: FigureSets = Field(description="Smoothing sets compared in the figures.")
    figures: list[Name] = Field(min_length=1, description="Figures to draw.")

    @model_validator(mode="after")
    def _check(self):
        if self.settings() is None:
            raise ValueError(
                f"source = {self.source} requires the section {self.source}, which is missing. "
                f"Add config/{self.source}.yaml with --configfile."
            )
        if problems := list(islice(inconsistencies(self), MAX_ERRORS)):
            raise ValueError(" ".join(problems))
        return self

    def settings(self) -> EmbeddedSettings | AbacusSettings | FilesSettings | None:
        """Return the settings of the chosen source."""
        return getattr(self, self.source)

    def training_of(self, inputs: str) -> TrainingSettings:
        """Return the training of networks with some inputs, or of a variant."""
        variant = self.all_variants().get(inputs)
        return self.training.model_copy(update=variant.overrides() if variant else {})

    def all_variants(self) -> dict[str, Variant]:
        """Return the networks that are trained otherwise, for claims and beyond the paper."""
        return {**self.variants, **(self.beyond.variants if self.beyond else {})}

    def training_boxes(self, train_box: str, inputs: str) -> list[str]:
        """Return the boxes that train an ensemble: `train_box`, and those joint with it."""
        if train_box != self.boxes.train[0]:
            return [train_box]
        variant = self.all_variants().get(inputs)
        joint = variant.joint if isinstance(variant, BeyondVariant) else self.boxes.joint
        return [train_box, *joint]

    def starts_from(self, inputs: str) -> str | None:
        """Return the networks from which a variant starts, None if it has epochs of its own."""
        variant = self.all_variants().get(inputs)
        return variant.start_from if isinstance(variant, BeyondVariant) else None

    def threshold_sets(self) -> list[str]:
        """Return the smoothing sets of the main halo sample: all but that of the thin ranges."""
        return [name for name in self.smoothing_sets if name != self.figure_sets.thin]

    def box_names(self) -> list[str]:
        """Return the boxes in use, training boxes first, each once."""
        names = [*self.boxes.train, *self.boxes.joint, *self.boxes.validation]
        if self.beyond:
            joint = (box for each in self.beyond.variants.values() for box in each.joint)
            names += [*joint, *self.beyond.fit_boxes, *self.beyond.validation]
        return list(dict.fromkeys(names))


def format_radius(radius: float) -> str:
    """Format a smoothing radius for paths: ``2.83``, ``8``.

    Parameters
    ----------
    radius : float
        R_f [Mpc/h].
    """
    return f"{radius:g}"


def load(raw: Mapping) -> Config:
    """Validate a configuration.

    Parameters
    ----------
    raw : mapping
        The merged YAML files.

    Returns
    -------
    Config
        The typed configuration.

    Raises
    ------
    ConfigError
        If a key is unknown or missing, a value has the wrong type or is out of range, or values
        contradict each other: one paragraph with each key, its value and the remedy.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(
            f"{_FAILURE} The top level is a {type(raw).__name__}; a mapping of keys to values is "
            f"needed."
        )
    try:
        return Config.model_validate(dict(raw))
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    """Turn pydantic's errors into sentences of key, value and remedy."""
    sentences = []
    for item in error.errors()[:MAX_ERRORS]:
        key = _key(item)
        if item["type"] == "extra_forbidden":
            known = _known_keys(item["loc"][:-1])
            hint = did_you_mean(str(item["loc"][-1]), known)
            text = f"{key}: unknown configuration key{hint} Keys here: {', '.join(known)}."
        elif item["type"] == "missing":
            text = f"{key} is missing. Add it; see config/README.md."
        else:
            text = wrong_value(item)
            text += "" if item["type"] == "value_error" else " See config/README.md."
        sentences.append(text)
    return " ".join([_FAILURE, *sentences])


def wrong_value(item: Mapping) -> str:
    """Describe one of pydantic's errors: key, value and what it should be."""
    key = _key(item)
    if item["type"] == "value_error":
        text = str(item["ctx"]["error"])
        return f"{key}: {text}" if key else text
    message = item["msg"][0].lower() + item["msg"][1:]
    return f"{key} = {short_repr(item['input'])}: {message}."


def _key(item: Mapping) -> str:
    return ".".join(str(part) for part in item["loc"] if part != "[key]")


def _known_keys(location: tuple) -> list[str]:
    """Return the keys of the section at a location in the configuration."""
    section: Any = Config
    for part in location:
        if part in section.model_fields:
            section = section_of(section.model_fields[part].annotation) or section
    return list(section.model_fields)
