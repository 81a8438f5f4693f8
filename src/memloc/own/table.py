"""A user's table of examples: read, checked against the model's classes, and encoded with the model's own tokenizer."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from memloc.errors import MemlocError

if TYPE_CHECKING:
    from memloc.training.batches import Encoded

MAX_LENGTH = 512  # tokens, unless the model takes fewer
UNKNOWN = -1  # original label of a noisy example where only a mask says that it is noisy; techniques know this
TRUE, FALSE = ("true", "yes", "1", "1.0", "noisy"), ("false", "no", "0", "0.0", "clean")


@dataclass
class OwnTable:
    """Examples with labels as class numbers.

    Attributes:
        name: the file's name without its ending.
        sha256: of the file.
        texts: one tuple of one or two texts an example.
        idx: int64 [N], unique.
        given: labels the model was trained on, int64 [N].
        label: original labels; `UNKNOWN` for noisy examples where the table has a mask only.
        noisy: bool [N].
    """

    name: str
    sha256: str
    texts: list[tuple[str, ...]]
    idx: np.ndarray
    given: np.ndarray
    label: np.ndarray
    noisy: np.ndarray

    @property
    def has_originals(self) -> bool:
        """Whether the original label of every example is known."""
        return bool((self.label != UNKNOWN).all())

    def __len__(self) -> int:
        return len(self.texts)


def read_frame(path: Path) -> pd.DataFrame:
    """A parquet, CSV or JSON-lines file; values of a CSV stay strings, so that a text like "NA" stays a text.

    Raises:
        MemlocError: for another ending, a file that cannot be read, or one without rows.
    """
    kinds = (".parquet", ".csv", ".jsonl")
    if path.suffix not in kinds:
        raise MemlocError("data file", str(path), f"a file ending in {', '.join(kinds)}")
    if not path.is_file():
        raise MemlocError("data file", str(path), "a file that exists")
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        elif path.suffix == ".csv":
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        else:
            frame = pd.read_json(path, lines=True, convert_dates=False, dtype=False)
    except (ValueError, OSError, pd.errors.ParserError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise MemlocError(f"data file {path.name}", reason, f"a readable {path.suffix[1:]} table in UTF-8") from error
    if frame.empty:
        raise MemlocError(f"rows of {path.name}", 0, "at least one")
    return frame


def read_table(path: Path, labels: dict[str, int], classes: int) -> OwnTable:
    """The table of a file: columns ``text``, or ``text_a`` and ``text_b``; ``given``; ``label``, ``noisy`` or both.

    Args:
        labels: class names of the model and their numbers.
        classes: number of classes C.

    Raises:
        MemlocError: naming the column and row, or that there is nothing to localise.
    """
    frame = read_frame(path)
    texts = texts_of(frame, path.name)
    given = _numbers(frame, "given", labels, classes, path.name)
    if "label" not in frame.columns and "noisy" not in frame.columns:
        raise _no_column(frame, ["label", "noisy"], path.name)
    noisy = _mask(frame, path.name) if "noisy" in frame.columns else None
    if "label" in frame.columns:
        label = _numbers(frame, "label", labels, classes, path.name)
        differs = given != label
        if noisy is not None and (noisy != differs).any():
            row = int(np.argmax(noisy != differs))
            told = f"{noisy[row]} in row {row + 1}, where given and label are {'un' if differs[row] else ''}equal"
            raise MemlocError(f"column noisy of {path.name}", told, "true exactly where given and label differ")
        noisy = differs
    else:
        assert noisy is not None
        label = np.where(noisy, UNKNOWN, given)
    if not noisy.any() or noisy.all():
        few = "no wrong labels" if not noisy.any() else "no right labels"
        told = "examples of both kinds; there is nothing to localise, so nothing was done"
        raise MemlocError(f"labels of {path.name}", few, told)
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return OwnTable(path.stem, sha256, texts, _index(frame, path.name), given, label, noisy)


def texts_of(frame: pd.DataFrame, where: str) -> list[tuple[str, ...]]:
    """One or two texts an example.

    Raises:
        MemlocError: if the columns are missing, or a text is empty.
    """
    if "text" in frame.columns:
        columns = ["text"]
    elif "text_a" in frame.columns or "text_b" in frame.columns:
        columns = ["text_a", "text_b"]
    else:
        raise _no_column(frame, ["text", "text_a and text_b"], where)
    for column in columns:
        if column not in frame.columns:
            raise _no_column(frame, [column], where)
        bad = [not isinstance(text, str) or not text.strip() for text in frame[column]]
        if any(bad):
            row = int(np.argmax(bad))
            raise MemlocError(f"column {column} of {where}", f"no text in row {row + 1}", "a text in every row")
    return list(zip(*(frame[column].tolist() for column in columns), strict=True))


def _no_column(frame: pd.DataFrame, wanted: list[str], where: str) -> MemlocError:
    near = difflib.get_close_matches(wanted[0], [str(c) for c in frame.columns], n=1, cutoff=0.5)
    hint = f"; is {near[0]!r} meant for it?" if near else ""
    found = ", ".join(map(str, frame.columns))
    return MemlocError(f"columns of {where}", found, f"a column {' or '.join(wanted)}{hint}")


def _numbers(frame: pd.DataFrame, column: str, labels: dict[str, int], classes: int, where: str) -> np.ndarray:
    """Class numbers of a column of names or numbers; a name of the model comes before a number."""
    if column not in frame.columns:
        raise _no_column(frame, [column], where)
    found = np.empty(len(frame), np.int64)
    for row, value in enumerate(frame[column]):
        number = labels.get(str(value))
        if number is None:
            number = _whole(value)
        if number is None or not 0 <= number < classes:
            some = ", ".join(list(labels)[:8]) + (", ..." if len(labels) > 8 else "")
            wanted = f"a class of the model: {some}, or 0 to {classes - 1}"
            raise MemlocError(f"column {column} of {where}, row {row + 1}", value, wanted)
        found[row] = number
    return found


def _whole(value: Any) -> int | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else None


def _mask(frame: pd.DataFrame, where: str) -> np.ndarray:
    words = [str(value).strip().lower() for value in frame["noisy"]]
    for row, word in enumerate(words):
        if word not in TRUE + FALSE:
            raise MemlocError(f"column noisy of {where}, row {row + 1}", frame["noisy"].iloc[row], "true or false")
    return np.array([word in TRUE for word in words])


def _index(frame: pd.DataFrame, where: str) -> np.ndarray:
    if "idx" not in frame.columns:
        return np.arange(len(frame), dtype=np.int64)
    numbers = [_whole(value) for value in frame["idx"]]
    if None in numbers or len(set(numbers)) != len(numbers):
        raise MemlocError(f"column idx of {where}", "not unique whole numbers", "another number in every row")
    return np.array(numbers, np.int64)


@dataclass
class OwnEncoded:
    """Encoded examples and what was noticed on the way.

    Attributes:
        data: the examples; ids carry token types where ``types`` is true (see ``own.classifier``).
        types: whether the tokenizer tells token types.
        cut: number of examples that were longer than ``limit`` tokens.
    """

    data: Encoded
    types: bool
    cut: int
    limit: int


def length_limit(config: Any, tokenizer: Any, asked: int | None = None) -> int:
    """Tokens of an example: what was asked for, or 512, and never more than model and tokenizer take."""
    places = int(getattr(config, "max_position_embeddings", 0) or MAX_LENGTH)
    if config.model_type in ("roberta", "xlm-roberta"):  # their positions begin after the padding's number
        places -= int(config.pad_token_id or 0) + 1
    most = min(places, int(tokenizer.model_max_length))
    if asked is not None and not 1 <= asked <= most:
        raise MemlocError("tokens of an example", asked, f"1 to {most}, which this model takes")
    return asked or min(MAX_LENGTH, most)


def encode_own(table: OwnTable, config: Any, tokenizer: Any, max_length: int | None = None) -> OwnEncoded:
    """Token ids as the model's own tokenizer makes them for one text or a pair.

    Stock decoders classify the last token that is no padding token. Where a text itself ends in such tokens they are
    left out here: what comes after the classified token is without effect on it.

    Raises:
        MemlocError: for an example without tokens, or tokens that the model has not got.
    """
    from memloc.own.classifier import own_family
    from memloc.training.batches import Encoded

    pool = own_family(config.model_type).pool
    limit = length_limit(config, tokenizer, max_length)
    columns = [list(column) for column in zip(*table.texts, strict=True)]
    made = tokenizer(*columns, truncation=True, max_length=limit)
    longer = sum(len(ids) == limit for ids in made["input_ids"])
    kinds = made.get("token_type_ids")
    ids = []
    for row, tokens in enumerate(made["input_ids"]):
        if not tokens or max(tokens) >= config.vocab_size:
            told = "no tokens" if not tokens else f"token {max(tokens)}"
            wanted = f"tokens below {config.vocab_size}, the model's vocabulary"
            raise MemlocError(f"example {table.idx[row]} of {table.name}", told, wanted)
        last = len(tokens)
        while pool == "last" and last > 1 and tokens[last - 1] == config.pad_token_id:
            last -= 1
        coded = (
            tokens if kinds is None else [t + config.vocab_size * k for t, k in zip(tokens, kinds[row], strict=True)]
        )
        ids.append(coded[:last])
    pad = next((p for p in (config.pad_token_id, tokenizer.pad_token_id) if p is not None), 0)
    data = Encoded(ids, table.idx, table.label, table.given, table.noisy, int(pad))
    return OwnEncoded(data, kinds is not None, _cut(longer, columns, tokenizer, limit), limit)


def _cut(at_limit: int, columns: list[list[str]], tokenizer: Any, limit: int) -> int:
    """How many examples lost tokens; asked again only where some may have."""
    if not at_limit:
        return 0
    whole = tokenizer(*columns, truncation=False, verbose=False)["input_ids"]
    return sum(len(ids) > limit for ids in whole)
