"""What a cell's work is done with: its data set, its examples as token ids, its untrained model, the device."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from memloc.arms import AUXILIARY, MAIN
from memloc.config import DataConfig
from memloc.configurations import CellId, Configurations
from memloc.data.catalogue import get_task
from memloc.data.loaded import LoadedData, read_dataset, write_dataset
from memloc.data.prepare import load_raw, prepare
from memloc.models.catalogue import get_model
from memloc.store import Store

if TYPE_CHECKING:
    import torch

    from memloc.models.classifier import Classifier
    from memloc.training.batches import Encoded


class Materials(Configurations):
    """The part of an experiment that reads and builds, and trains nothing."""

    store: Store
    device: str
    _datasets: dict[str, LoadedData]

    @cached_property
    def torch_device(self) -> torch.device:
        from memloc.devices import resolve_device

        return resolve_device(self.device)

    def dataset(self, task: str) -> LoadedData:
        """The perturbed data set of a task, from the store or made; read and checked once an experiment."""
        if task not in self._datasets:
            self._datasets[task] = self._dataset(task)
        return self._datasets[task]

    def _dataset(self, task: str) -> LoadedData:
        config = self.dataset_config(task)

        def make(folder: Path) -> None:
            spec = get_task(task)
            data = DataConfig(**config["data"])  # what the key says, and nothing that could differ from it
            write_dataset(prepare(load_raw(spec, self.profile.source, self.data_dir), spec, data), folder)

        return read_dataset(self.store.get_or_make("dataset", config, make))

    def fresh(self, cell: CellId, joint: bool = False) -> Classifier:
        """The untrained start on the run's device: the same for every arm of a seed.

        Args:
            joint: with the control's second head.
        """
        from memloc.models.classifier import build_classifier
        from memloc.training.batches import derived_seed

        classes = {MAIN: len(self.dataset(cell.task).labels)}
        if joint:
            classes[AUXILIARY] = len(self.dataset(self.control(cell).auxiliary).labels)
        model = build_classifier(get_model(cell.model), classes, head_seed=derived_seed("head", cell.seed))
        return model.to(self.torch_device)

    def encoded(self, cell: CellId, split: str) -> Encoded:
        """A split as the model's token ids."""
        from memloc.models.catalogue import locate
        from memloc.models.tokenizer import load_tokenizer
        from memloc.training.batches import encode

        spec = get_model(cell.model)
        tokenizer = load_tokenizer(locate(spec) if spec.source != "builtin" else None, spec.architecture)
        limit = self.profile.models[cell.model].training.max_length
        return encode(getattr(self.dataset(cell.task), split), tokenizer, limit)
