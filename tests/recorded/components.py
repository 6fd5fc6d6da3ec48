"""Every component of a design against what R recorded, and R's warnings and messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lme4py.proof.against_r import compare
from lme4py.proof.fixture import fixture_of
from lme4py.rfiles.rvalues import RList, RVector

# What Matrix says of its own sparse QR where check.nobs.vs.rankZ is on: it depends on the order
# of elimination that it chose, and tells nothing of the model (docs/differences.md).
_UNTOLD = "matrix is structurally rank deficient; using augmented matrix"
_STRAIGHT_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})


def differences(design: Any, reference: RList, said: Iterable[str] | None = None) -> list[str]:
    """Compare a `MixedDesign` with a record of R's, as `lme4py.compare` does.

    Parameters
    ----------
    design : lme4py.MixedDesign
    reference : RList
        What fixtures/record.R wrote: `lf`, `model`, `warnings`, `messages`.
    said : iterable of str, optional
        The warnings that came with the design; None leaves R's warnings and
        messages uncompared.

    Returns
    -------
    list of str
        One line for each component that is not equal, order included; empty when all agree.
    """
    found = [str(finding) for finding in compare(design, fixture_of(reference)).different]
    if said is not None:
        found += conditions(design.messages, said, reference)
    return found


def conditions(ours: Iterable[str], said: Iterable[str], reference: RList) -> list[str]:
    """Compare the sets of texts.

    Warnings are R's warnings. `messages` must hold all that R said, and may hold
    besides what R keeps without saying it (`wmsgs`, X's `msgScaleX`, `msgRankdrop`).
    """
    lf = reference["lf"]
    warned, told = _strings(reference.get("warnings")), _strings(reference.get("messages"))
    kept = _strings(lf.get("wmsgs"))
    for name in ("msgScaleX", "msgRankdrop"):
        kept |= _strings(lf["X"].attributes.get(name))
    messages = {plain_quotes(text) for text in ours}
    warnings = {plain_quotes(text) for text in said}
    found = [f"warns {text!r}, R does not" for text in sorted(warnings - warned)]
    found += [f"does not warn {text!r}, R does" for text in sorted(warned - warnings)]
    found += [f"says {text!r}, R does not" for text in sorted(messages - warned - told - kept)]
    return found + [f"does not say {text!r}, R does" for text in sorted(told - messages)]


def plain_quotes(text: str) -> str:
    """Return the text with straight quotes and without blank ends."""
    return text.translate(_STRAIGHT_QUOTES).strip()


def _strings(value: Any) -> set[str]:
    if not isinstance(value, RVector):
        return set()
    texts = {plain_quotes(str(text)) for text in value.values}
    return {text for text in texts if not text.startswith(_UNTOLD)}
