"""What the chapter on known places shows: figures, tables and sentences from made-up answers, and without a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from test_answers import answers

from memloc.analysis.answers import Answers
from memloc.analysis.study import told
from memloc.arms import CONTROLS
from memloc.pipeline import CellId
from memloc.profiles import load_profile
from memloc.publishing import figures_control, real, tabulate_claims, tabulate_control
from memloc.publishing.reading import ReleasedStudy
from memloc.publishing.reading_control import Known, by_place
from memloc.released import Release

mpl.use("agg")

TOPS = {"swapping": (1, 3, 5), "probing": (6, 6, 6)}


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


def known(noisy: float = 1.0) -> Known:
    """Swapping finds every place of two seeds; probing always says the last layer."""
    found = []
    for seed in (1, 2):
        for technique, tops in TOPS.items():
            one = answers(tops, seed, noisy)
            found.append(Answers(one.cell, technique, one.weights, one.noisy))
    cells = [CellId("trec", "minilm-l6", seed) for seed in (1, 2)]
    manifest = {"cells": [cell._asdict() for cell in cells], "missing": []}
    study = ReleasedStudy(Release(load_profile("control"), manifest, {}), "results/control")
    status = pd.DataFrame([{**cell._asdict(), "memorised": noisy >= 0.95, "learnt": True} for cell in cells])
    return Known(study, status, by_place(found), found, {(cell, setting): 5 for cell in cells for setting in CONTROLS})


def test_the_scheme_shows_what_training_may_change() -> None:
    drawn = figures_control.arms_scheme(6)
    (panel,) = drawn.figure.axes
    rows = np.array([text.get_text() for text in panel.texts]).reshape(3, 9)
    assert rows[:, 0].tolist() == ["–"] * 3, "embeddings"
    assert [np.flatnonzero(row == "both").tolist() for row in rows] == [[1, 2], [3, 4], [5, 6]]
    assert rows[:, 7:].tolist() == [["main", "2nd"]] * 3
    assert "middle: layers 3 and 4" in drawn.alt
    deep = figures_control.arms_scheme(12)
    assert "middle: layers 6 and 7" in deep.alt


def test_the_example_by_hand() -> None:
    table, numbers = tabulate_control.three_places()
    assert table["found@1"].tolist() == ["1", "1", "0"]
    assert table["found@2"].tolist() == ["1", "0.5", "0"]
    assert table["top two"].tolist() == ["1, 2", "3, 2", "3, 4"]
    assert (numbers["at1"], numbers["at2"], numbers["constant"]) == ("0.67", "0.50", "0.33")
    assert float(numbers["low"]) < 1 / 3 < float(numbers["high"]), "as the text says: on both sides of the bar"


def test_a_panel_a_technique_and_place_with_a_line_an_answer() -> None:
    drawn = figures_control.weight_curves(known())
    panels = np.array(drawn.figure.axes).reshape(2, 3)
    for row, tops in zip(panels, TOPS.values(), strict=True):
        for panel, top in zip(row, tops, strict=True):
            lines = [line for line in panel.lines if len(line.get_xdata())]
            assert [int(np.argmax(line.get_ydata())) + 1 for line in lines] == [top, top]
            assert all(np.sum(line.get_ydata()) == pytest.approx(1) for line in lines)
    assert "swapping: 6 of 6 peaks in the shade; probing: 2 of 6" in drawn.alt


def test_counts_of_places_are_written_into_the_squares() -> None:
    drawn = figures_control.confusions(known())
    first, second = drawn.figure.axes[:2]
    assert [text.get_text() for text in first.texts] == ["2", "0", "0", "0", "2", "0", "0", "0", "2"]
    assert [text.get_text() for text in second.texts] == ["0", "0", "2"] * 3
    assert "swapping: 6 of 6 on the diagonal; probing: 2 of 6" in drawn.alt


def test_scores_stand_beside_the_constant_and_the_study() -> None:
    drawn = figures_control.scores(known())
    for rank, panel in zip((1, 2), drawn.figure.axes, strict=True):
        stars = [line.get_xdata()[0] for line in panel.lines if line.get_marker() == "*" and len(line.get_xdata())]
        study = told(f"control accuracy_at_{rank} by technique").values
        assert stars == [study["swapping"], study["probing"]]
        dotted = [line.get_xdata()[0] for line in panel.lines if line.get_linestyle() == ":" and len(line.get_xdata())]
        assert dotted == pytest.approx([1 / 3] * 2)
    table = tabulate_control.scores_table(known()).set_index("technique")
    assert table.loc["swapping", "accuracy@1 [95 %]"].startswith("1.00 [0.6")
    assert table.loc["swapping", "above it@1"] == "yes"
    assert table.loc["probing", "above it@1"] == "cannot tell"
    assert table.loc["probing", "study@1"] == "0.62"
    assert set(table["control runs"]) == {"6"}


def test_sentences_and_tables() -> None:
    facts = tabulate_control.control_facts(known())
    assert (facts["runs"], facts["counted"], facts["better"], facts["unclear"]) == ("6", "6", "swapping", "probing")
    assert facts["at1"] == "swapping 1.00; probing 0.33"
    assert facts["missed"] == "probing (2 of 2 first, 2 of 2 middle)"
    assert facts["windows"] == "1"
    assert facts["tasks"] == "trec with MiniLM (6 layers) (seeds 1 and 2)"
    runs = tabulate_control.runs_table(known())
    assert runs["layers"].tolist() == ["1, 2", "3, 4", "5, 6"] * 2
    assert set(runs["counts"]) == {"yes"}
    assert tabulate_control.answers_table(known())["first (1, 2)"].tolist() == ["1, 2", "6, 1"] * 2
    assert real.about(known()).set_index("the released run").loc["left out, labels not memorised", ""] == "0"


def test_findings_are_judged_on_the_released_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = pd.DataFrame(columns=["run", "task", "model", "seed", "technique", "metric", "layer", "value", "n"])
    monkeypatch.setattr(tabulate_claims, "summary", lambda numbers, techniques: empty)
    numbers, verdicts = tabulate_control.claim_numbers(known()), tabulate_control.claim_verdicts(known())
    assert verdicts["claim"].tolist() == ["C01", "C02"]
    assert verdicts["verdict, released run"].tolist() == ["cannot tell"] * 2
    assert "released run" in numbers
    assert not [name for table in (numbers, verdicts) for name in table if "this copy" in name]


def test_what_does_not_count_is_told_and_drawn_nowhere() -> None:
    nothing = known(noisy=0.5)
    facts = tabulate_control.control_facts(nothing)
    assert (facts["runs"], facts["counted"], facts["at1"], facts["better"], facts["missed"]) == (
        "6",
        "0",
        *["none"] * 3,
    )
    assert set(tabulate_control.runs_table(nothing)["counts"]) == {"no"}
    assert tabulate_control.scores_table(nothing)["control runs"].tolist() == ["0", "0"]
    assert "nothing counts" in tabulate_control.answers_table(nothing).to_string()
    for draw in (figures_control.weight_curves, figures_control.confusions, figures_control.scores):
        assert draw(nothing).alt
    assert "because no cell counts" in figures_control.weight_curves(nothing).alt


def test_a_book_without_the_run_has_the_same_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_toc.yml", "_config.yml"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    assert real.open_control() is None
    assert tabulate_control.control_facts(None).keys() == tabulate_control.control_facts(known()).keys()
    assert real.run_facts(None, "control runs") == {"real": real.ABSENT}
