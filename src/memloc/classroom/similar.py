"""Near-identical answers, for the teacher's eyes: a reason to talk to two people, never a proof.

What is compared is the shape of the code: its syntax tree without names, numbers, texts, comments and docstrings, cut
into pieces of ``PIECE`` neighbouring nodes. Pieces that were handed out do not count, nor do those that most of the
class has: a short task has few right answers, and everybody's is nobody's.

Cost: time and memory grow with the code for the pieces, and with the square of the number of students for the pairs
(60 students are 1770 pairs: less than a second).
"""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memloc.classroom.assignment import Assignment
from memloc.classroom.cells import cells_of, stub
from memloc.classroom.submissions import Submission

PIECE = 10
LEAST = 20  # pieces below which an answer is too short to tell anything
LONGEST = 100_000  # characters of a cell that are looked at
COMMON = 0.5  # share of the class that has a piece: beyond it the piece tells nothing
CLASS = 8  # students from which on that is said

Pieces = frozenset[tuple[str, ...]]


@dataclass(frozen=True)
class Pair:
    """Two students whose answers are alike.

    Attributes:
        share: of the pieces that at least one has, those that both have (Jaccard).
        parts: the same by answer, for answers that are long enough; what is the same is what is near 1.
    """

    first: str
    second: str
    share: float
    parts: dict[str, float]


def similar(assignment: Assignment, submissions: Sequence[Submission], threshold: float = 0.8) -> list[Pair]:
    """Pairs of students whose answers are alike, all answers together, the most alike first.

    Args:
        threshold: the share from which on a pair is listed.
    """
    answers = [cell for cell in cells_of(assignment.notebook) if cell.solution and cell.kind == "code"]
    given = {cell.name: pieces(stub(cell.source)) for cell in answers}
    known: dict[str, dict[str, Pieces]] = {}
    for one in submissions:
        handed = {cell.name: cell.source for cell in reversed(one.cells)}
        own = {name: pieces(handed.get(name, "")) - stubbed for name, stubbed in given.items()}
        if sum(map(len, own.values())) >= LEAST:
            known[one.student] = own
    _drop_common(known)
    pairs = [
        Pair(a, b, share, _by_part(known[a], known[b]))
        for a, b in itertools.combinations(sorted(known), 2)
        if (share := _alike(_tagged(known[a]), _tagged(known[b]))) >= threshold
    ]
    return sorted(pairs, key=lambda pair: (-pair.share, pair.first, pair.second))


def pieces(source: str) -> Pieces:
    """The pieces of code; none of code that cannot be read."""
    try:
        steps = list(_steps(ast.parse(source[:LONGEST])))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    return frozenset(tuple(steps[i : i + PIECE]) for i in range(len(steps) - PIECE + 1))


def _steps(node: ast.AST) -> Iterator[str]:
    """The kinds of a tree's nodes from the outside in. Of names only those of attributes stay: they are not free."""
    if isinstance(node, ast.Constant):
        yield type(node.value).__name__
        return
    yield f"{type(node).__name__}.{node.attr}" if isinstance(node, ast.Attribute) else type(node).__name__
    for child in ast.iter_child_nodes(node):
        docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        if not docstring and not isinstance(child, (ast.expr_context, ast.arg)):
            yield from _steps(child)
    yield "."


def _drop_common(known: dict[str, dict[str, Pieces]]) -> None:
    """Take away, in a class that is large enough, the pieces that most have."""
    if len(known) < CLASS:
        return
    counts = Counter(tagged for own in known.values() for tagged in _tagged(own))
    common = {tagged for tagged, count in counts.items() if count > COMMON * len(known)}
    for student in list(known):
        rest = {name: frozenset(p for p in own if (name, p) not in common) for name, own in known[student].items()}
        if sum(map(len, rest.values())) >= LEAST:
            known[student] = rest
        else:
            del known[student]


def _tagged(own: dict[str, Pieces]) -> set[tuple[str, tuple[str, ...]]]:
    return {(name, piece) for name, found in own.items() for piece in found}


def _by_part(first: dict[str, Pieces], second: dict[str, Pieces]) -> dict[str, float]:
    shares = {name: _alike(first[name], second[name]) for name in first if len(first[name] | second[name]) >= LEAST}
    return {name: round(share, 3) for name, share in shares.items()}


def _alike(first: set | Pieces, second: set | Pieces) -> float:
    """Jaccard's index of two sets."""
    return len(first & second) / len(first | second) if first or second else 0.0
