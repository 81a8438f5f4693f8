"""Bootstrap intervals against a plain loop over the same draws, and their coverage on data whose truth is known."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from memloc.analysis.intervals import SEEDS_FOR_INTERVAL, Interval, centre_over_seeds, correct_matrix, localise
from memloc.analysis.layers import attainable_range, centre_of_gravity, layer_weight, memorisation_error
from memloc.errors import MemlocError
from memloc.techniques.swapping import windows

LAYERS = 3
ORDER = windows(LAYERS)


def outcomes(correct: np.ndarray, group: str = "noisy", first: int = 0) -> pd.DataFrame:
    """The outcomes table of a matrix [W, n]."""
    n = correct.shape[1]
    return pd.DataFrame(
        {
            "window_start": np.repeat([s for s, _ in ORDER], n),
            "window_length": np.repeat([k for _, k in ORDER], n),
            "idx": np.tile(np.arange(first, first + n), len(ORDER)),
            "group": group,
            "correct": correct.ravel(),
        }
    )


def cell(seed: int, n: int = 12) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    noisy = rng.random((len(ORDER), n)) < rng.random((len(ORDER), 1))
    clean = rng.random((len(ORDER), 5)) < 0.9
    return pd.concat([outcomes(noisy), outcomes(clean, "clean", 100)]).sample(frac=1, random_state=seed), noisy


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_equals_a_loop_with_the_same_draws(seeds: int) -> None:
    cells = {seed: cell(seed) for seed in range(1, seeds + 1)}
    place = localise({seed: frame for seed, (frame, _) in cells.items()}, resamples=40, seed=7)
    matrices = [matrix for _, matrix in cells.values()]
    rng = np.random.default_rng(7)
    draws = rng.multinomial(12, np.full(12, 1 / 12), size=40)
    many = seeds >= SEEDS_FOR_INTERVAL
    picks = rng.integers(seeds, size=(40, seeds)) if many else [list(range(seeds))] * 40
    weights, centres = [], []
    for draw, pick in zip(draws, picks, strict=True):
        chosen = np.repeat(np.arange(12), draw)  # the drawn examples, one by one
        accuracy = np.mean([matrices[s][:, chosen].mean(axis=1) for s in pick], axis=0)
        weight = layer_weight(memorisation_error(accuracy, ORDER, LAYERS))
        weights.append(weight)
        centres.append(centre_of_gravity(weight))
    np.testing.assert_allclose(place.weight.low, np.quantile(weights, 0.025, axis=0))
    np.testing.assert_allclose(place.weight.high, np.quantile(weights, 0.975, axis=0))
    np.testing.assert_allclose(place.mcog.low, np.quantile(centres, 0.025))
    np.testing.assert_allclose(place.mcog.high, np.quantile(centres, 0.975))
    observed = memorisation_error(np.mean([m.mean(axis=1) for m in matrices], axis=0), ORDER, LAYERS)
    np.testing.assert_allclose(place.error, observed)
    np.testing.assert_allclose(place.weight_k1.value, observed[0])
    assert place.mcog_k1.value == pytest.approx(centre_of_gravity(observed[0]))
    assert place.bounds == attainable_range(ORDER, LAYERS)
    assert (place.seeds, place.noisy) == (seeds, 12)
    assert place.unit == ("seeds and examples" if many else "examples")
    lowest = [correct_matrix(frame, "clean")[1].mean(axis=1).min() for frame, _ in cells.values()]
    assert place.clean == pytest.approx(np.mean(lowest))


@pytest.mark.parametrize("lengths", [(1, 2, 3), (2, 3)])
def test_retraining_is_rescaled_within_every_draw(lengths: tuple[int, ...]) -> None:
    """Against a loop over the drawn examples, with all window lengths and with chosen ones."""
    cells = {seed: cell(seed, 30) for seed in (1, 2)}
    frames = {seed: frame[frame["window_length"].isin(lengths)] for seed, (frame, _) in cells.items()}
    place = localise(frames, resamples=40, seed=7, technique="retraining")
    kept = [w for w in ORDER if w[1] in lengths]
    matrices = [matrix[[ORDER.index(w) for w in kept]] for _, matrix in cells.values()]

    def weight(drawn: np.ndarray) -> np.ndarray:
        per_seed = []
        for matrix in matrices:
            accuracy = matrix[:, drawn].mean(axis=1)
            floor = accuracy[kept.index((1, LAYERS))]
            per_seed.append((accuracy - floor) / (1 - floor))
        error = memorisation_error(np.mean(per_seed, axis=0), kept, LAYERS, lengths)
        return error.mean(axis=0)

    draws = np.random.default_rng(7).multinomial(30, np.full(30, 1 / 30), size=40)
    weights = [weight(np.repeat(np.arange(30), draw)) for draw in draws]
    np.testing.assert_allclose(place.weight.value, weight(np.arange(30)))
    np.testing.assert_allclose(place.weight.low, np.quantile(weights, 0.025, axis=0))
    np.testing.assert_allclose(place.mcog.high, np.quantile([centre_of_gravity(w) for w in weights], 0.975))
    assert place.lengths == lengths
    assert place.bounds == attainable_range(kept, LAYERS, lengths)
    assert np.isnan(place.mcog_k1.value) == (1 not in lengths)
    assert np.isnan(place.weight_k1.low).all() == (1 not in lengths)


def test_retraining_that_forgets_nothing_has_no_interval() -> None:
    frame = pd.concat([outcomes(np.ones((len(ORDER), 4), bool)), outcomes(np.ones((len(ORDER), 1), bool), "clean", 9)])
    place = localise({1: frame}, 20, technique="retraining")
    assert np.isnan(place.mcog.value)
    assert np.isnan(place.mcog.low)
    with pytest.raises(MemlocError, match="technique with outcomes by window: 'probing'"):
        localise({1: frame}, 20, technique="probing")


def test_the_same_draws_give_the_same_interval_and_others_another() -> None:
    frame = {1: cell(1)[0]}
    first, again, other = (localise(frame, 60, seed).mcog for seed in (0, 0, 1))
    assert (first.low, first.high) == (again.low, again.high)
    assert (first.low, first.high) != (other.low, other.high)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    chances = np.linspace(0.2, 0.8, len(ORDER))
    truth = layer_weight(memorisation_error(chances, ORDER, LAYERS))
    rng, hits = np.random.default_rng(5), 0
    clean = outcomes(np.ones((len(ORDER), 2), bool), "clean", 1000)
    for trial in range(100):
        frame = pd.concat([outcomes(rng.random((len(ORDER), 60)) < chances[:, None]), clean])
        weight = localise({1: frame}, resamples=200, seed=trial).weight
        hits += int(weight.low[0] <= truth[0] <= weight.high[0])
    assert 88 <= hits <= 100  # 95 asked for


def test_more_examples_give_a_shorter_interval() -> None:
    def width(n: int) -> float:
        rng = np.random.default_rng(3)
        frame = pd.concat([outcomes(rng.random((len(ORDER), n)) < 0.5), outcomes(np.ones((6, 1), bool), "clean", 9999)])
        mcog = localise({1: frame}, 200).mcog
        return float(mcog.high - mcog.low)

    assert width(400) < 0.5 * width(25)


def test_what_does_not_fit_together_is_refused() -> None:
    good, _ = cell(1)
    with pytest.raises(MemlocError, match="no seed"):
        localise({})
    with pytest.raises(MemlocError, match="the same windows and noisy examples in every seed"):
        localise({1: good, 2: cell(2, n=11)[0]})
    moved = good.assign(idx=good["idx"] + 1)  # as many examples, but others
    with pytest.raises(MemlocError, match="the same windows and noisy examples in every seed"):
        localise({1: good, 2: moved})
    with pytest.raises(MemlocError, match="the same windows"):
        localise({1: good, 2: good[good["window_length"] < 3]})
    with pytest.raises(MemlocError, match="the same windows"):
        localise({1: good[good["group"] == "clean"]})


def test_a_missing_or_double_outcome_is_refused() -> None:
    frame = outcomes(np.ones((len(ORDER), 4), bool))
    with pytest.raises(MemlocError, match="noisy outcomes: '23 rows'; accepted: 24"):
        correct_matrix(frame.drop(index=3), "noisy")
    with pytest.raises(MemlocError, match="one for every window and example"):
        correct_matrix(pd.concat([frame.drop(index=3), frame.iloc[:1]]), "noisy")


def curves(seed: int) -> pd.DataFrame:
    """Gradients of one seed, without a frozen arm."""
    values = np.random.default_rng(seed).random(LAYERS) + 0.1
    made = {"layer": range(1, LAYERS + 1), "value": values, "metric": "logit_l1_difference", "arm": "perturbed"}
    return pd.DataFrame(made).assign(technique="gradients", group=None, seed=seed)


def test_an_interval_over_seeds_counts_every_draw_of_seeds() -> None:
    frames = [curves(seed) for seed in (1, 2, 3)]
    found = centre_over_seeds(frames)
    pull = np.stack([frame["value"].to_numpy() for frame in frames])
    draws = [centre_of_gravity(pull[list(draw)].mean(axis=0)) for draw in itertools.product(range(3), repeat=3)]
    assert len(draws) == 27
    np.testing.assert_allclose(found.low, np.quantile(draws, 0.025))
    np.testing.assert_allclose(found.high, np.quantile(draws, 0.975))
    assert found.value == pytest.approx(centre_of_gravity(pull.mean(axis=0)))
    some = centre_over_seeds([curves(seed) for seed in range(6)], resamples=50)
    assert str(some) == str(centre_over_seeds([curves(seed) for seed in range(6)], resamples=50)), "the same draws"
    assert some.low < some.value < some.high


def test_two_seeds_have_no_interval() -> None:
    two = centre_over_seeds([curves(1), curves(2)])
    assert np.isnan(two.low)
    assert str(two) == f"{two.value:.2f}", "the number stands without brackets"


def test_a_centre_of_single_layers_is_told_in_words_where_there_is_none() -> None:
    nobody = pd.concat(
        [outcomes(np.array([[k < 3] * 4 for _, k in ORDER])), outcomes(np.ones((6, 2), bool), "clean", 9)]
    )
    place = localise({1: nobody}, 20)
    assert np.isnan(place.mcog_k1.value)
    assert (place.centre_k1, place.most_by_one) == ("no single layer forgets", "nothing")
    longer = nobody[nobody["window_length"] > 1]
    assert localise({1: longer}, 20, technique="retraining").centre_k1 == "single layers were not run"
    never = nobody.assign(correct=True)
    told = localise({1: never}, 20, technique="retraining")
    assert (str(told.mcog), told.centre_k1, told.most_by_one) == ("–", "all layers forget nothing", "–")
    one = localise({1: cell(1)[0]}, 20)
    assert one.centre_k1 == f"{one.mcog_k1.value:.2f}"


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert str(Interval(np.array(-0.001), np.array(-0.004), np.array(0.012))) == "0.00 [0.00, 0.01]"
