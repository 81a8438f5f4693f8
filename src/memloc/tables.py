"""The tables that leave a run: one validated, versioned schema each, stored as parquet and never as pickles.

A schema change raises ``SCHEMA_VERSION``; a file of another version is refused by name rather than read wrongly. The
store makes such tables anew; released ones are migrated (``migrating.py``).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from memloc.errors import Corrupt, MemlocError

SCHEMA_VERSION = 1
TABLE, VERSION = b"memloc.table", b"memloc.version"  # what the metadata of a file say

_string, _int, _float = pa.string(), pa.int64(), pa.float64()


def _schema(name: str, nullable: tuple[str, ...] = (), **columns: pa.DataType) -> pa.Schema:
    fields = [pa.field(column, kind, nullable=column in nullable) for column, kind in columns.items()]
    return pa.schema(fields, metadata={TABLE: name, VERSION: str(SCHEMA_VERSION)})


SPLIT = _schema("split", idx=_int, parts=pa.list_(_string), label=_int, given=_int, group=_string)
INDEX = _schema("index", idx=_int, label=_int, given=_int, group=_string)
TRACE = _schema("trace", epoch=_int, split=_string, group=_string, metric=_string, value=_float, n=_int)
ROWS = _schema(
    "rows",
    ("layer", "window_start", "window_length", "group"),
    run_key=_string,
    task=_string,
    model=_string,
    seed=_int,
    arm=_string,
    technique=_string,
    layer=_int,
    window_start=_int,
    window_length=_int,
    group=_string,
    metric=_string,
    value=_float,
    n=_int,
)
OUTCOMES = _schema("outcomes", window_start=_int, window_length=_int, idx=_int, group=_string, correct=pa.bool_())

# What a technique tells beside its rows; a part of the artefact of the rows. `arm` as in ROWS.
PROBES = _schema(
    "probes",
    ("group",),
    arm=_string,
    layer=_int,  # 0 is the embeddings
    probe_seed=_int,
    target=_string,  # noise | given | original
    group=_string,  # of the test examples scored; null: all
    metric=_string,
    value=_float,
    n=_int,
    epoch=_int,  # whose state was kept
)
TENSORS = _schema("tensors", arm=_string, layer=_int, tensor=_string, metric=_string, value=_float, n=_int)
POSITIONS = _schema(
    "positions",
    ("t_left_out",),
    arm=_string,
    layer=_int,
    given_class=_int,  # a
    original_class=_int,  # b
    member=_string,  # given (clean of a) | original (clean of b) | noisy
    idx=_int,
    t=_float,  # 1 = centroid of the original class, 0 = of the wrong label's
    t_left_out=_float,  # the same with the example itself left out of its centroid
)
MAP = _schema(
    "map",
    ("memorisation", "generalisation", "counterfactual"),
    idx=_int,
    group=_string,
    memorisation=_float,  # mean probability of the given label by models that trained on the example
    generalisation=_float,  # the same by models that did not
    counterfactual=_float,
    models_in=_int,
    models_out=_int,
)
UNITS = _schema("units", arm=_string, layer=_int, unit=_int, score=_float)  # unit 0..F - 1 of the feed-forward block
DETAILS = {
    "outcomes": OUTCOMES,
    "probes": PROBES,
    "tensors": TENSORS,
    "positions": POSITIONS,
    "map": MAP,
    "units": UNITS,
}

# A released run keeps all its cells in one file a table, so each row says whose it is.
_cell = {"task": _string, "model": _string, "seed": _int}
RELEASED_OUTCOMES = _schema(
    "released-outcomes", **_cell, technique=_string, **{field.name: field.type for field in OUTCOMES}
)
RELEASED_TRACES = _schema("released-traces", **_cell, arm=_string, **{field.name: field.type for field in TRACE})
RELEASED_MAP = _schema(
    "released-map",
    tuple(field.name for field in MAP if field.nullable),
    **_cell,
    technique=_string,
    **{field.name: field.type for field in MAP},
)

# Planted memorisation: one (task, model, seed), an amount of wrong labels (a rate) and a place they were put into.
_planting = {**_cell, "noise": _float, "place": _string}
FOUND = _schema(
    "found",
    **_planting,
    regime=_string,  # oracle | blind | acquired (place: acquired)
    technique=_string,
    variant=_string,  # which of the technique's readings; empty where it has one
    layer=_int,  # 1..L
    weight=_float,  # over the layers of one variant they sum to 1
)
_accuracies = tuple(
    f"{group}_{when}" for when in ("start", "injected", "settled", "restored") for group in ("noisy", "clean")
)
PLANTED = _schema(
    "planted",
    _accuracies,
    **_planting,
    layers=_int,  # L
    learnt=pa.bool_(),
    **dict.fromkeys(_accuracies, _float),  # of the given labels; null: that step was not reached
    epochs_injected=_int,
    epochs_settled=_int,  # 0: it did not settle
    has_truth_oracle=pa.bool_(),
    has_truth_blind=pa.bool_(),
    seconds=_float,
)
# Every layer of a settled model: how far it moved, and what is left with it alone put back to the start
# (`planted.settle`).
SETTLED = _schema(
    "settled",
    ("own",),
    **_planting,
    layer=_int,  # 1..L
    moved_injected=_float,  # |difference| / |weights|: of the model with planted labels from its start
    moved_settled=_float,  # of the settled model from that with planted labels
    noisy=_float,  # accuracies of the given labels
    clean=_float,
    own=_float,  # of the noisy examples that this layer learnt, where memory is spread
)
# What asking a localiser took, on the device of the run.
ASKED = _schema("asked", **_planting, regime=_string, technique=_string, seconds=_float)
# How many of the feed-forward units that hold the wrong labels a localiser of units finds (`planted.recall`).
RECALLED = _schema(
    "recalled",
    **_planting,
    regime=_string,
    technique=_string,
    true=_int,  # units planted into; as many of the highest scores are looked at
    units=_int,  # of the model
    recall=_float,  # of the planted ones, the share that is among them; ties share
)
# What became of the wrong labels a localiser did not see, when what it pointed to was taken out (`planted.removal`).
_kept = tuple(f"{group}_{when}" for when in ("before", "after", "after_random") for group in ("noisy", "clean"))
REMOVAL = _schema(
    "removal",
    (*_kept[4:], "is_true"),
    **_planting,
    regime=_string,
    technique=_string,
    variant=_string,
    removed=_string,  # layers:4,5 | units:0.01
    is_true=_float,  # share of what was removed that is of the place; null: the place is not known
    **dict.fromkeys(_kept, _float),  # accuracies of the given labels; null: nothing else of that size to remove
    n_noisy=_int,
    n_random=_int,  # removals behind the means `_random`
)

# Of the pretraining of one model; `seconds` of training so far, `n` steps (train) or predictions (validation).
PRETRAINING = _schema("pretraining", tokens=_int, split=_string, loss=_float, n=_int, seconds=_float)

# What a pretrained model says: words for the gap of a prompt by rank, or how it goes on (rank 1, no probability).
SAID = _schema("said", ("probability",), model=_string, prompt=_string, rank=_int, text=_string, probability=_float)

_released = (RELEASED_OUTCOMES, RELEASED_TRACES, RELEASED_MAP)
_all = (
    SPLIT,
    INDEX,
    TRACE,
    PRETRAINING,
    SAID,
    ROWS,
    *DETAILS.values(),
    *_released,
    FOUND,
    PLANTED,
    SETTLED,
    ASKED,
    RECALLED,
    REMOVAL,
)
TABLES = {schema.metadata[TABLE].decode(): schema for schema in _all}

ALLOWED = {"group": {"noisy", "clean", "all"}, "split": {"train", "validation", "test"}}


def validate(frame: pd.DataFrame, schema: pa.Schema, where: str) -> pa.Table:
    """The frame as an arrow table of the schema: same columns, right types, no forbidden nulls or values.

    Raises:
        MemlocError: naming the table, the column and what is accepted.
    """
    missing = [c for c in schema.names if c not in frame.columns]
    extra = [c for c in frame.columns if c not in schema.names]
    if missing or extra:
        raise MemlocError(f"columns of {where}", sorted(frame.columns), f"exactly {', '.join(schema.names)}")
    try:
        table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False, safe=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise MemlocError(f"values of {where}", str(error), f"the types of {schema.names}") from error
    for field in schema:
        column = table.column(field.name)
        if not field.nullable and column.null_count:
            raise MemlocError(f"{where}.{field.name}", f"{column.null_count} empty values", "a value in every row")
        if field.name in ALLOWED:
            wrong = set(column.drop_null().unique().to_pylist()) - ALLOWED[field.name]
            if wrong:
                raise MemlocError(f"{where}.{field.name}", sorted(wrong), sorted(ALLOWED[field.name]))
    # from_pandas adds pandas' own metadata, which would differ between pandas versions
    return table.replace_schema_metadata(schema.metadata)


def write(frame: pd.DataFrame, schema: pa.Schema, path: Path) -> None:
    """Validate and write one table; the same frame gives the same bytes."""
    pq.write_table(validate(frame, schema, path.name), path, compression="zstd")


def read(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """Read one table and check that it is what its name says.

    Raises:
        Corrupt: if the file is no parquet file.
        MemlocError: if it holds another table or another version of this one.
    """
    return checked(load(path), schema, path.name)


def load(path: Path) -> pa.Table:
    """A table as it was written, of whatever version.

    Raises:
        Corrupt: if the file is no parquet file.
    """
    try:
        return pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise Corrupt("table", str(path), "a readable parquet file") from error


def checked(table: pa.Table, schema: pa.Schema, where: str) -> pd.DataFrame:
    """A table as a frame, after a check that it is of this schema.

    Raises:
        MemlocError: if it is another table or another version of this one.
    """
    expected = schema.metadata
    found = {k: v for k, v in (table.schema.metadata or {}).items() if k.startswith(b"memloc.")}
    if found != expected:
        wanted = f"table {expected[TABLE].decode()!r} of version {SCHEMA_VERSION}"
        raise MemlocError(f"table {where}", {k.decode(): v.decode() for k, v in found.items()}, wanted)
    validate(frame := table.to_pandas(), schema, where)
    return frame
