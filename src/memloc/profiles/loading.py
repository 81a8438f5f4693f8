"""Read, check and narrow a profile."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from memloc.config import DataConfig, TrainConfig, from_mapping
from memloc.errors import MemlocError, unknown_name
from memloc.profiles.control import Control, control_content, parse_control
from memloc.profiles.planting import Planting, parse_planting, planting_content
from memloc.profiles.variants import EVERY, FIELD, MARK, split_name, varied, with_effect

GENERATED = "generated"
SOURCES = ("hub", "files", GENERATED)
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class ModelRun:
    """What a profile asks of one model: seeds and training settings (the profile's, with the model's own on top)."""

    seeds: tuple[int, ...]
    training: TrainConfig


@dataclass(frozen=True)
class Profile:
    """The numbers of a run.

    Attributes:
        name: file name without ``.yml``.
        purpose: one sentence; shown by ``memloc profiles``.
        source: where data come from: ``hub``, ``files`` or ``generated``. Chosen, never guessed.
        tasks: names in the task catalogue.
        models: model name to its run.
        data: perturbation, caps.
        own_data: tasks for which they are others.
        extra_arms: arms trained beside those that the techniques name.
        techniques: technique name to settings.
        resamples: bootstrap draws of intervals.
        control: the control arms, or None for none.
        planted: the benchmark with planted memorisation, or None for none.
    """

    name: str
    purpose: str
    source: str
    tasks: tuple[str, ...]
    models: dict[str, ModelRun]
    data: DataConfig
    extra_arms: tuple[str, ...] = ()
    techniques: dict[str, dict[str, Any]] = field(default_factory=dict)
    resamples: int = 1000
    control: Control | None = None
    planted: Planting | None = None
    own_data: dict[str, DataConfig] = field(default_factory=dict)

    def data_of(self, task: str) -> DataConfig:
        """Perturbation and caps of a task."""
        return self.own_data.get(task, self.data)

    def with_data(self, **changes: Any) -> Profile:
        """The profile with other values of `DataConfig`, for every task."""
        own = {task: dataclasses.replace(data, **changes) for task, data in self.own_data.items()}
        return dataclasses.replace(self, data=dataclasses.replace(self.data, **changes), own_data=own)

    @property
    def rows_told(self) -> str:
        """How many training rows a task has, in words."""
        caps = sorted({self.data_of(task).cap for task in self.tasks})
        if caps == [0]:
            return "all"
        told = f"at most {' or '.join(f'{cap:,}' for cap in caps if cap)}"
        return f"{told}, or all" if 0 in caps else told

    def narrowed(
        self,
        tasks: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
        seeds: Sequence[int] | None = None,
        source: str | None = None,
    ) -> Profile:
        """The profile with other tasks, models, seeds or source; a model it has not got takes its first one's settings.

        Raises:
            MemlocError: for names that no catalogue has, or a source that does not exist.
        """
        chosen = {m: self.models.get(m) or next(iter(self.models.values())) for m in models or self.models}
        if seeds:
            chosen = {m: dataclasses.replace(run, seeds=tuple(dict.fromkeys(seeds))) for m, run in chosen.items()}
        kept = tuple(dict.fromkeys(tasks or self.tasks))
        own = {task: data for task, data in self.own_data.items() if task in kept}
        return dataclasses.replace(
            self, tasks=kept, models=chosen, source=source or self.source, own_data=own
        ).checked()

    def checked(self) -> Profile:
        """Itself, after every name was looked up.

        Raises:
            MemlocError: for the first unknown task, model or source. Techniques are looked up by ``Experiment.check``:
                their modules import torch.
        """
        from memloc.data.catalogue import get_task
        from memloc.models.catalogue import get_model

        if self.source not in SOURCES:
            raise unknown_name("data source", self.source, SOURCES)
        for task in (*self.tasks, *([self.control.auxiliary] if self.control else [])):
            get_task(task)
        for model in self.models:
            get_model(model)
        return self


def profile_names() -> list[str]:
    """Profiles that ship with the package, smallest first."""
    quick = ("smoke", "planted-smoke", "mini", "small", "control", "techniques", "maps", "worth")
    nano = ("nano", "nano-control", "nano-maps", "nano-retraining")
    names = (*quick, *nano, "sensitivity", "binarised", "planted-small", "paper", "larger")
    return [name for name in names if (FOLDER / f"{name}.yml").exists()]


def load_profile(name: str | Path) -> Profile:
    """A profile by name, or from a file of one's own (a path that ends in ``.yml``); ``name@variant`` is a variant.

    Raises:
        MemlocError: for an unknown profile, variant, field or value, also in a variant that is not asked for.
    """
    asked, variant = split_name(str(name))
    stem, content, variants = _read(asked)
    base = parse_profile(stem, content)
    made = {
        own: with_effect(base, parse_profile(f"{stem}{MARK}{own}", changed), place)
        for own, place, changed in varied(stem, content, variants)
    }
    if variant is None:
        return base
    if variant not in made:
        raise unknown_name(f"variant of profile {stem}", variant, made or ("none",))
    return made[variant]


def every_name(name: str) -> list[str]:
    """The names that ``profile@*`` stands for, the profile itself first; any other name stands for itself.

    Raises:
        MemlocError: for an unknown profile.
    """
    asked, variant = split_name(name)
    return [asked, *(f"{asked}{MARK}{own}" for own in _read(asked)[2])] if variant == EVERY else [name]


def _read(name: str) -> tuple[str, Any, dict[str, Any]]:
    """The name that a profile's file gives it, what the file says, and apart from that its variants."""
    path = Path(name) if name.endswith(".yml") else FOLDER / f"{name}.yml"
    if not path.is_file():
        raise unknown_name("profile", name, profile_names())
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise MemlocError(f"profile {path.name}", str(error), "a YAML file") from error
    variants = content.pop(FIELD, None) if isinstance(content, dict) else None
    return path.stem, content, variants or {}


def parse_profile(name: str, content: Mapping[str, Any]) -> Profile:
    """A profile from plain data."""
    if not isinstance(content, dict):
        raise MemlocError(f"profile {name}", content, "a mapping of settings")
    fields = {f.name for f in dataclasses.fields(Profile)} - {"name"} | {"training", "seeds"}
    for key in content:
        if key not in fields:
            raise unknown_name(f"field of profile {name}", key, fields)
    for key in ("purpose", "source", "tasks", "models", "seeds"):
        if not content.get(key):
            raise MemlocError(f"profile {name}", f"no {key}", f"a value for {key}")
    kinds: dict[str, type] = {"seeds": list, "extra_arms": list, "resamples": int}
    kinds |= dict.fromkeys(("tasks", "models", "data", "training", "techniques", "control", "planted"), dict)
    given = content["tasks"]
    content = {**content, "tasks": dict.fromkeys(given) if isinstance(given, list) else given}
    for key, kind in kinds.items():
        if content.get(key) is not None and not isinstance(content[key], kind):
            raise MemlocError(
                f"{key} of profile {name}",
                content[key],
                f"a value of type {'list or dict' if key == 'tasks' else kind.__name__}",
            )
    for key in ("tasks", "models", "techniques"):
        for entry, value in (content.get(key) or {}).items():
            if value is not None and not isinstance(value, dict):
                raise MemlocError(f"{entry} of profile {name}", value, "a mapping of settings, which may be empty")
    tasks: dict[str, Any] = content["tasks"]
    training, data = dict(content.get("training") or {}), dict(content.get("data") or {})
    models = {
        model: _model_run(name, model, content["seeds"], training, own or {})
        for model, own in content["models"].items()
    }
    return Profile(
        name=name,
        purpose=content["purpose"],
        source=content["source"],
        tasks=tuple(tasks),
        models=models,
        data=from_mapping(DataConfig, data, f"profile {name}: data"),
        extra_arms=tuple(content.get("extra_arms") or ()),
        techniques={t: dict(s or {}) for t, s in (content.get("techniques") or {}).items()},
        resamples=int(content.get("resamples", 1000)),
        control=parse_control(name, content.get("control"), list(tasks), content.get("techniques") or {}),
        planted=parse_planting(name, content.get("planted"), content.get("techniques") or {}),
        own_data={
            task: from_mapping(DataConfig, {**data, **own}, f"profile {name}: data of {task}")
            for task, own in tasks.items()
            if own
        },
    ).checked()


def profile_content(profile: Profile) -> dict[str, Any]:
    """Every setting of a profile, written out: ``parse_profile`` makes the same profile of it."""
    runs = profile.models.items()
    content = dataclasses.asdict(profile) | {
        "models": {model: {"seeds": list(run.seeds), **dataclasses.asdict(run.training)} for model, run in runs},
        "seeds": sorted({seed for run in profile.models.values() for seed in run.seeds}),
        "tasks": _tasks_content(profile),
        "extra_arms": list(profile.extra_arms),
    }
    # a profile without these says nothing of them
    del content["name"], content["control"], content["planted"], content["own_data"]
    content |= {"control": control_content(profile.control)} if profile.control else {}
    return content | ({"planted": planting_content(profile.planted)} if profile.planted else {})


def _tasks_content(profile: Profile) -> list[str] | dict[str, dict[str, Any]]:
    """A list, or where tasks have data settings of their own, these by task."""
    if not profile.own_data:
        return list(profile.tasks)
    usual = dataclasses.asdict(profile.data)
    return {
        task: {k: v for k, v in dataclasses.asdict(profile.data_of(task)).items() if v != usual[k]}
        for task in profile.tasks
    }


def _model_run(
    profile: str, model: str, seeds: Sequence[int], training: Mapping[str, Any], own: Mapping[str, Any]
) -> ModelRun:
    seeds = own.get("seeds", seeds)
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int for seed in seeds):
        raise MemlocError(f"seeds of {model} in profile {profile}", seeds, "a list of whole numbers")
    settings = {**training, **{k: v for k, v in own.items() if k != "seeds"}}
    return ModelRun(
        seeds=tuple(dict.fromkeys(seeds)),
        training=from_mapping(TrainConfig, settings, f"profile {profile}: training of {model}"),
    )
