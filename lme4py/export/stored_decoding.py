"""A design put together again from its record, of which nothing is believed."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import numpy as np

from lme4py.control import Control
from lme4py.design import MixedDesign
from lme4py.errors import DataError, Lme4pyError
from lme4py.export.record import FORMAT, VERSION, Record, damaged
from lme4py.export.stored_frames import decoded_frame, decoded_index
from lme4py.export.stored_matrices import decoded_fixed, decoded_random
from lme4py.export.stored_reader import Reader, entry, numbers, texts
from lme4py.family import Family
from lme4py.formula.formula import Formula
from lme4py.frame.collation import Collation
from lme4py.frame.functions.table import Context
from lme4py.frame.modelframe import ModelFrame
from lme4py.frame.values import FloatArray
from lme4py.spec.spec import Spec

__all__ = ["decode"]


def decode(record: Record) -> MixedDesign:
    """Put a design together again.

    Raises
    ------
    DataError
        If the record does not describe one.
    """
    data, reader = record.metadata, Reader(record)
    if data.get("format") != FORMAT:
        raise damaged("it does not say that it is one")
    if data.get("version") != VERSION:
        raise DataError(
            f"the design was stored in version {data.get('version')!r} of the layout",
            hint=f"this lme4py reads version {VERSION}",
        )
    frame = decoded_frame(entry(data, "frame", dict), reader)
    formula = _formula(entry(data, "formula", dict))
    spec = _spec(entry(data, "spec", dict, type(None)))
    context = _context(spec, frame)
    fixed, X = decoded_fixed(data, reader, frame, formula, context)
    family = entry(data, "family", dict, type(None))
    return MixedDesign(
        formula=formula,
        X=X,
        fixed=fixed,
        y=_response(reader, frame.rows),
        weights=reader.floats("weights", frame.rows) if reader.has("weights") else None,
        offset=reader.floats("offset", frame.rows) if reader.has("offset") else None,
        random=decoded_random(data, reader, frame, formula, context),
        reml=entry(data, "reml", bool, type(None)),
        family=family and Family(entry(family, "name", str), entry(family, "link", str)),
        messages=texts(data, "messages"),
        model_frame=frame,
        index=decoded_index(entry(data, "index", dict, type(None)), reader, frame),
        advice=texts(data, "advice"),
        lost_levels=numbers(data, "lost_levels", int),
        control=_control(entry(data, "control", dict)),
        learned=spec,
    )


def _spec(data: Any) -> Spec | None:
    return None if data is None else Spec.from_json(json.dumps(data))


def _context(spec: Spec | None, frame: ModelFrame) -> Context:
    """Return the order of text and the codings as the model was made; by default without spec."""
    if spec is None:
        return Context(frame.rows, Collation("icu"), lambda _: None)
    return Context(frame.rows, Collation(spec.collation), lambda _: None, spec.default_contrasts)


def _response(reader: Reader, rows: int) -> FloatArray | None:
    if not reader.has("y"):
        return None
    if reader.dimensions("y") == 1:
        return reader.floats("y", rows)
    return np.asfortranarray(reader.floats("y", rows, None))


def _formula(data: Any) -> Formula:
    text, written = entry(data, "text", str), entry(data, "written", str)
    try:
        kept, source = Formula.parse(text), Formula.parse(written)
        # What was written, with its || expanded as then, knows where in it each bar stood.
        for candidate in (source, source.expanded("split"), source.expanded("diag")):
            if str(candidate) == str(kept):
                return candidate
        return Formula(kept.node, written)
    except Lme4pyError as error:
        raise damaged(f"its formula is none: {error.message}") from None


def _control(data: Any) -> Control:
    known = {item.name for item in fields(Control)}
    try:
        return Control(**{name: value for name, value in data.items() if name in known})
    except (Lme4pyError, TypeError) as error:
        raise damaged(f"its control is none: {error}") from None
