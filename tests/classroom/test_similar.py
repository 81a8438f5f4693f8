"""Near-identical answers: what disguises are seen through, and what is not held against anybody."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.classroom.grading_world import assignment, submission

from memloc.classroom.assignment import Assignment
from memloc.classroom.similar import CLASS, pieces, similar
from memloc.classroom.submissions import Submission

LONG = '''def double(values):
    """Twice the values."""
    found = []
    for position, value in enumerate(values):
        if position % 2 == 0:
            found.append(value + value)
        else:
            found.append(value * 2.0)
    while len(found) < len(values):
        found.insert(0, None)
    return [one for one in found if one is not None]
'''
DISGUISED = '''# my very own work
def double( numbers ):
    """I wrote this."""
    result = []          # here it goes
    for i, x in enumerate(numbers):
        if i % 7 == 1:
            result.append(x + x)
        else:
            result.append(x * 3.5)

    while len(result) < len(numbers): result.insert(9, None)
    return [r for r in result if r is not None]
'''
OTHER = """def double(values):
    import numpy as np
    array = np.asarray(values, dtype=float)
    total = np.zeros_like(array)
    try:
        total[:] = array.sum(axis=0) if array.ndim > 1 else array
        total += {"a": array, "b": total}["a"]
    except (ValueError, TypeError) as error:
        raise RuntimeError(f"no numbers: {error}") from error
    return (lambda x: x.tolist())(total)
"""


@pytest.fixture
def world(tmp_path: Path) -> Assignment:
    """The assignment."""
    return assignment(tmp_path / "assignment")


def test_other_names_numbers_comments_and_spaces_hide_nothing(world: Assignment) -> None:
    handed_in = [submission("ada", double=LONG), submission("bob", double=DISGUISED), submission("eve", double=OTHER)]
    (pair,) = similar(world, handed_in)
    assert (pair.first, pair.second) == ("ada", "bob")
    assert pair.share > 0.95
    assert pair.parts == {"double": 1.0}
    loose = {(p.first, p.second): p.share for p in similar(world, handed_in, 0.0)}
    assert loose["ada", "eve"] < 0.3


def test_short_or_unreadable_answers_and_what_was_handed_out_tell_nothing(world: Assignment) -> None:
    stub = 'def double(values):\n    """Twice the values."""\n    raise NotImplementedError()'
    for answer in (stub, "def double(values):\n    return [2 * v for v in values]", "def (", ""):
        handed_in = [submission(name, double=answer, mean="") for name in ("ada", "bob")]
        assert similar(world, handed_in, 0.5) == []
    nothing = [Submission("ada", problem="missing"), Submission("bob", problem="missing")]
    assert similar(world, nothing, 0.0) == []


def test_what_most_of_a_class_has_is_nobodys(world: Assignment) -> None:
    everybody = [submission(f"s{i}", double=LONG) for i in range(CLASS)]
    assert similar(world, everybody) == []
    two = [submission("ada", double=OTHER), submission("bob", double=OTHER.replace("array", "a"))]
    assert [(p.first, p.second) for p in similar(world, [*everybody, *two])] == [("ada", "bob")]


def test_sixty_students_take_no_time(world: Assignment) -> None:
    handed_in = [submission(f"s{i}", double=LONG + f"\n{OTHER}" * (i % 5)) for i in range(60)]
    start = time.process_time()
    similar(world, handed_in)
    assert time.process_time() - start < 5


def test_pieces_keep_what_is_called_but_not_what_it_is_called_with() -> None:
    assert pieces("a.append(1); b = [c for c in d if c]") == pieces("x.append(2); y = [z for z in w if z]")
    assert pieces("a.append(1); b = [c for c in d if c]") != pieces("a.extend(1); b = [c for c in d if c]")
