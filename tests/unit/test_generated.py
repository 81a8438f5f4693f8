"""The generated tasks: matched in everything but what the label needs."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from memloc.data import generated, grammar
from memloc.data.catalogue import get_task, task_names
from memloc.data.specs import TaskSpec
from memloc.errors import MemlocError

NAMES = [
    f"gen-{short}-{classes}{lexicon}" for short in ("cue", "comp", "rel") for classes in (2, 6) for lexicon in "ab"
]
UNRELATED = {"cue": ("operator", "partner"), "composition": grammar.KINDS, "relation": grammar.KINDS}


def with_rows(name: str, **changes: object) -> TaskSpec:
    spec = get_task(name)
    assert spec.generated is not None
    source = dataclasses.replace(spec.generated)
    for field, value in changes.items():  # past the checks of the catalogue, which have tests of their own
        object.__setattr__(source, field, value)
    changed = dataclasses.replace(spec)
    object.__setattr__(changed, "generated", source)
    return changed


def words_of(frame: pd.DataFrame, part: int | None = None) -> list[list[str]]:
    return [(" ".join(parts) if part is None else parts[part]).split() for parts in frame["parts"]]


def mechanism(name: str) -> str:
    source = get_task(name).generated
    assert source is not None
    return source.mechanism


def test_the_catalogue_has_exactly_the_twelve_tasks() -> None:
    assert sorted(task_names("generated", binarised=False)) == sorted(NAMES)
    sources = [get_task(name).generated for name in NAMES]
    assert len({(s.mechanism, s.classes, s.lexicon) for s in sources if s}) == 12


@pytest.mark.parametrize("name", NAMES)
def test_loading_gives_what_the_entry_says_in_time(name: str) -> None:
    spec = get_task(name)
    started = time.process_time()
    raw = generated.load_generated(spec)
    assert time.process_time() - started < 1
    assert spec.generated is not None
    assert {split: len(frame) for split, frame in raw.splits.items()} == {
        "train": spec.generated.n_train,
        "validation": spec.generated.n_heldout,
    }
    for frame in raw.splits.values():
        assert list(frame.columns) == ["idx", "parts", "label"]
        assert frame["idx"].tolist() == list(range(len(frame)))
        assert frame["label"].dtype == np.int64
        assert set(frame["label"]) == set(range(len(spec.labels)))
        assert frame["label"].value_counts().nunique() == 1, "balanced classes"
    assert raw.fingerprint["generator"] == generated.GENERATOR_VERSION
    assert "generated" in raw.notes[0]


@pytest.mark.parametrize("name", NAMES)
def test_two_calls_agree_and_no_text_repeats(name: str) -> None:
    first, second = (generated.load_generated(get_task(name)) for _ in range(2))
    assert first.fingerprint == second.fingerprint
    for split in ("train", "validation"):
        pd.testing.assert_frame_equal(first.splits[split], second.splits[split])
    texts = [" ".join(words) for frame in first.splits.values() for words in words_of(frame)]
    assert len(set(texts)) == len(texts)


def test_fingerprints_tell_every_change_of_rows() -> None:
    prints = [generated.load_generated(get_task(name)).fingerprint["content"] for name in NAMES]
    assert len(set(prints)) == 12
    fewer = generated.load_generated(with_rows("gen-cue-2a", n_train=648)).fingerprint
    assert fewer["content"] not in prints


@pytest.mark.parametrize("lexicon", ["a", "b"])
def test_the_tasks_of_a_lexicon_share_lengths_words_and_texts(lexicon: str) -> None:
    names = [name for name in NAMES if name.endswith(lexicon)]
    loaded = {name: generated.load_generated(get_task(name)).splits for name in names}
    for split in ("train", "validation"):
        lengths = {tuple(map(len, (w.split() for w in parts))) for s in loaded.values() for parts in s[split]["parts"]}
        assert lengths == {(4, 4)}
        counts = [Counter(w for words in words_of(s[split]) for w in words) for s in loaded.values()]
        assert all(count == counts[0] for count in counts), "the same word frequencies, exactly"
        assert all(s[split]["parts"].tolist() == loaded[names[0]][split]["parts"].tolist() for s in loaded.values())


def test_the_lexicons_are_disjoint_of_one_shape_and_evenly_used() -> None:
    counts = {}
    for lexicon in ("a", "b"):
        frame = generated.load_generated(get_task(f"gen-cue-2{lexicon}")).splits["train"]
        counts[lexicon] = Counter(w for words in words_of(frame) for w in words)
        expected = {w: len(frame) // 6 for listed in grammar.lexicon_words(lexicon).values() for w in listed}
        expected |= {w: len(frame) // 4 for listed in grammar.lexicons()[lexicon]["fillers"].values() for w in listed}
        assert counts[lexicon] == {**expected, grammar.lexicons()[lexicon]["determiner"]: 2 * len(frame)}
    assert not counts["a"].keys() & counts["b"].keys()
    assert sorted(counts["a"].values()) == sorted(counts["b"].values())


def chi_square_p(left: pd.Series, right: pd.Series) -> float:
    return float(chi2_contingency(pd.crosstab(left, right)).pvalue)


@pytest.mark.parametrize("name", NAMES)
def test_no_word_alone_tells_the_label_unless_it_is_the_cue_of_a_cue_task(name: str) -> None:
    for rows in generated.load_factors(get_task(name)).values():
        for kind in UNRELATED[mechanism(name)]:
            table = pd.crosstab(rows[kind], rows["label"])
            assert table.to_numpy().min() == table.to_numpy().max(), f"{kind} and label exactly independent"
        for order in ("order_1", "order_2"):
            assert chi_square_p(rows[order], rows["label"]) > 1e-4, "where words stand says nothing"


@pytest.mark.parametrize("name", [name for name in NAMES if "cue" not in name])
def test_pairs_tell_the_label_only_where_the_mechanism_says(name: str) -> None:
    rows = generated.load_factors(get_task(name))["train"]
    telling = ["cue", "operator"] if mechanism(name) == "composition" else ["cue", "partner"]
    other = ["cue", "partner"] if mechanism(name) == "composition" else ["cue", "operator"]
    assert rows.groupby(telling)["label"].nunique().max() == 1
    blind = pd.crosstab([rows[kind] for kind in other], rows["label"]).to_numpy()
    assert blind.min() == blind.max(), "the other pair says nothing"


def test_labels_follow_the_stated_rules_and_two_classes_are_six_modulo_two() -> None:
    for lexicon in "ab":
        for short in ("cue", "comp", "rel"):
            six = generated.load_factors(get_task(f"gen-{short}-6{lexicon}"))["train"]
            two = generated.load_factors(get_task(f"gen-{short}-2{lexicon}"))["train"]
            words = grammar.lexicon_words(lexicon)
            cue, operator, partner = (six[kind].map(words[kind].index) for kind in grammar.KINDS)
            expected = {"cue": cue, "comp": (cue + operator) % 6, "rel": (partner - cue) % 6}[short]
            assert six["label"].tolist() == expected.tolist()
            assert two["label"].tolist() == (expected % 2).tolist()


def test_the_words_of_a_row_are_in_its_texts_where_the_order_puts_them() -> None:
    rows = generated.load_factors(get_task("gen-rel-6b"))["train"]
    for kind, order in (("cue", "order_1"), ("operator", "order_1"), ("partner", "order_2")):
        where = grammar.positions(kind)
        for parts, word, number in zip(rows["parts"], rows[kind], rows[order], strict=True):
            assert parts[where["text"] - 1].split()[where["places"][number] - 1] == word
        assert len(set(where["places"])) == 3, "the position varies"
    assert rows["order_1"].value_counts().nunique() == 1


def score(train: list[str], heldout: list[str], y: pd.Series, y_heldout: pd.Series) -> float:
    words = CountVectorizer(token_pattern=r"\S+")
    model = LogisticRegression(max_iter=300).fit(words.fit_transform(train), y)
    return float(model.score(words.transform(heldout), y_heldout))


@pytest.mark.parametrize("name", NAMES)
def test_bags_of_words_solve_cue_alone_and_the_right_pair_solves_all(name: str) -> None:
    spec = get_task(name)
    splits = generated.load_factors(spec)
    y, y_heldout = splits["train"]["label"], splits["validation"]["label"]
    bags = [[" ".join(words) for words in words_of(frame)] for frame in splits.values()]
    accuracy = score(bags[0], bags[1], y, y_heldout)
    if mechanism(name) == "cue":
        assert accuracy == 1.0
    else:
        assert accuracy < 1 / len(spec.labels) + 0.06  # 864 rows: one standard error is at most 0.017
    pair = list(generated.RELEVANT[mechanism(name)])
    joined = [frame[pair].agg("_".join, axis=1).tolist() for frame in splits.values()]
    assert score(joined[0], joined[1], y, y_heldout) == generated.bayes_accuracy(spec) == 1.0


@pytest.mark.parametrize("name", [name for name in NAMES if "rel" in name])
def test_one_text_of_a_relation_tells_nothing_even_to_a_rule_over_whole_texts(name: str) -> None:
    spec = get_task(name)
    assert (
        generated.best_accuracy(spec, ("cue", "operator")) == generated.best_accuracy(spec, ()) == 1 / len(spec.labels)
    )
    assert generated.best_accuracy(spec, ("partner",)) == 1 / len(spec.labels)
    splits = generated.load_factors(spec)
    for part in (0, 1):
        texts = [[parts[part].replace(" ", "_") for parts in frame["parts"]] for frame in splits.values()]
        accuracy = score(texts[0], texts[1], splits["train"]["label"], splits["validation"]["label"])
        assert accuracy < 1 / len(spec.labels) + 0.06


@pytest.mark.parametrize("n", [1, 12, 60, 600, 1200, 2400])
def test_any_twelve_fold_is_balanced_and_other_sizes_work(n: int) -> None:
    for short in ("cue", "comp", "rel"):
        frame = generated.load_generated(with_rows(f"gen-{short}-6a", n_train=n)).splits["train"]
        assert len(frame) == n
        assert frame["label"].value_counts().nunique() == 1 or n % 12


def test_a_crowded_lexicon_still_gives_distinct_texts_and_an_exhausted_one_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = {**grammar.lexicons()["a"], "fillers": {"verb": ["sat"], "state": ["stood"], "place": ["here", "there"]}}
    monkeypatch.setattr(grammar, "lexicons", lambda: {"few": few})
    possible = grammar.UNIT * 2 * 16  # cells x fillers x pairs of word orders
    splits = grammar.draw("few", {"train": possible // 16, "validation": possible // 16})
    texts = [tuple(parts) for frame in splits.values() for parts in frame["parts"]]
    assert len(set(texts)) == possible // 8
    places = Counter(word for frame in splits.values() for words in words_of(frame) for word in words)
    assert places["here"] == places["there"], "exchanging fillers keeps their numbers"
    monkeypatch.setattr(grammar, "ATTEMPTS", 3)
    with pytest.raises(MemlocError, match="distinct"):
        grammar.draw("few", {"train": possible + 1})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mechanism": "relatoin"}, "did you mean relation"),
        ({"lexicon": "c"}, "unknown lexicon"),
        ({"classes": 4}, "divide the six"),
        ({"n_heldout": 0}, "n_heldout of task gen-rel-2a"),
    ],
)
def test_bad_entries_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(MemlocError, match=message):
        generated.load_generated(with_rows("gen-rel-2a", **changes))


def test_tasks_without_a_generated_source_and_variants_are_refused_where_they_make_no_sense() -> None:
    with pytest.raises(MemlocError, match="trec"):
        generated.load_generated(get_task("trec"))
    variant = get_task("gen-cue-6av2")
    assert set(generated.load_generated(variant).splits["train"]["label"]) == set(range(6))
    with pytest.raises(MemlocError, match="gen-cue-6a"):
        generated.explain(variant)
    with pytest.raises(MemlocError, match="did you mean cue"):
        generated.best_accuracy(get_task("gen-cue-2a"), ("cues",))


@pytest.mark.parametrize("name", NAMES)
def test_the_explanation_is_true_of_its_example(name: str) -> None:
    spec = get_task(name)
    told = generated.explain(spec)
    example, classes = told["example"], told["classes"]
    for kind in grammar.KINDS:
        assert example[kind] in told["words"][kind][example[f"{kind}_class"]]
        assert example[kind] in example["parts"][told["positions"][kind]["text"] - 1].split()
    expected = {
        "cue": example["cue_class"],
        "composition": example["cue_class"] + example["operator_class"],
        "relation": example["partner_class"] - example["cue_class"],
    }[told["mechanism"]]
    assert example["label"] == expected % classes
    assert example["label_name"] == spec.labels[example["label"]]
    assert sorted(told["relevant"] + told["distractors"]) == sorted(grammar.KINDS)
    assert told["best_accuracy"]["+".join(told["relevant"])] == 1.0
    assert told["best_accuracy"]["nothing"] == pytest.approx(1 / classes)
