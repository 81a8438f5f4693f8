"""The ways a model is trained, and the settings in which techniques meet them (method 2 and 2.1). Names only: no torch.

Arms of the setting ``main`` train on one task. A control's arms train two tasks together, and the wrong labels of the
main one may change two known layers alone; so it is known beforehand where memorisation is. Yardsticks, which
are not of the study, say what a pretrained start is worth: ordinary fine-tuning of all weights on the original labels,
and logistic regression on counts of words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from memloc.errors import MemlocError, unknown_name

YARDSTICKS = ("fine_tuned", "bag_of_words")
ARMS = ("perturbed", "normal", "frozen", *YARDSTICKS)
CONTROLS = ("control_first", "control_middle", "control_last")
CONTROL_ARMS = (*CONTROLS, "control_frozen", *(f"{control}_normal" for control in CONTROLS))
SETTINGS = ("main", *CONTROLS)
MAIN, AUXILIARY = "main", "aux"  # names of the heads
INDEPENDENT = "independent"  # as the normal arm, from another seed: a stranger with the same task (DESIGN: planted)


def arm_of(setting: str, asked: str) -> str:
    """The arm that a technique gets in a setting.

    Args:
        asked: ``perturbed``, ``normal``, ``frozen`` or ``pretrained``.

    Raises:
        MemlocError: for an unknown setting, with the nearest known ones.
    """
    if setting not in SETTINGS:
        raise unknown_name("setting", setting, SETTINGS)
    if setting == "main" or asked == "pretrained":
        return asked
    return {"perturbed": setting, "normal": f"{setting}_normal", "frozen": "control_frozen"}[asked]


def followed(arm: str) -> tuple[str, ...]:
    """The arms whose steps this one takes: it stops where the last of them stopped. Empty for those that lead."""
    if arm == "perturbed" or arm in (*CONTROLS, *YARDSTICKS):
        return ()
    if arm == "control_frozen":
        return CONTROLS
    return (arm.removesuffix("_normal"),) if arm in CONTROL_ARMS else ("perturbed",)


def learns_original(arm: str) -> bool:
    """Whether the arm is trained on the original labels of the main task, and not on the given ones."""
    return arm in ("normal", INDEPENDENT, *YARDSTICKS) or arm.endswith("_normal")


def scored(arm: str) -> Literal["each", "last"]:
    """Which epochs of an arm are scored: of a yardstick, whose end alone is compared, the last one."""
    return "last" if arm in YARDSTICKS else "each"


def target_layers(setting: str, num_layers: int) -> tuple[int, int]:
    """The two layers that the main task may change in a control: {1, 2}, {L/2, L/2 + 1} or {L - 1, L}.

    With fewer than six layers they overlap between settings; an odd L takes the middle from L/2 rounded down.

    Raises:
        MemlocError: if the setting is no control, or the model has fewer than two layers.
    """
    if setting not in CONTROLS:
        raise unknown_name("control setting", setting, CONTROLS)
    if num_layers < 2:
        raise MemlocError("layers of a model with control arms", num_layers, "2 or more")
    first = {"control_first": 1, "control_middle": num_layers // 2, "control_last": num_layers - 1}[setting]
    return first, first + 1


def main_parts(arm: str, parts: Iterable[str], num_layers: int) -> list[str]:
    """The parts of the model that the main task may change.

    Args:
        arm: a name of ``ARMS`` or ``CONTROL_ARMS``.
        parts: all parts of the model, by the names of ``Classifier.parts``.
        num_layers: L.

    Returns:
        Every part but the embeddings, but in a frozen arm the head alone, and in a control's arm the two target layers,
        the final norm and the head; in ordinary fine-tuning every part; never the auxiliary task's head. In the order
        of ``parts``.
    """
    if arm == "fine_tuned":
        return [part for part in parts if part != f"head.{AUXILIARY}"]
    allowed = [part for part in parts if part not in ("embeddings", f"head.{AUXILIARY}")]
    if arm in ("frozen", "control_frozen"):
        return [part for part in allowed if part.startswith("head.")]
    if arm in CONTROL_ARMS:
        targets = {f"layer.{n}" for n in target_layers(arm.removesuffix("_normal"), num_layers)}
        return [part for part in allowed if part in targets or not part.startswith("layer.")]
    return allowed


def auxiliary_parts(parts: Iterable[str]) -> list[str]:
    """The parts that the auxiliary task may change: all but the embeddings and the main task's head."""
    return [part for part in parts if part not in ("embeddings", f"head.{MAIN}")]
