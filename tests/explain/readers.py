"""Readers of printed equations: text, LaTeX and MathML as numbers, without the printer's trees.

What is read is the right side of an equation; `values` says what each printed symbol stands for.
"""

import re
from xml.etree import ElementTree as ET

import numpy as np

_SIGNS = {
    "text": {" + ": "+", " - ": "-", "-": "-", "·": "*", "/": "/", "(": "(", ")": ")", "√": "√"},
    "latex": {
        " + ": "+",
        " - ": "-",
        "-": "-",
        r" \cdot ": "*",
        r"\, ": "*",
        r"\left(": "(",
        r"\right)": ")",
        r"\sqrt{": "√(",
        r"\frac{": "fraction",
        "}": ")",
        "{": "(",
    },
}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]\d+)?)(?: \\times 10\^{(-?\d+)})?")
_ARRAY = re.compile(r"\\left\[\\begin{array}{[rc]+} (.*?) \\end{array}\\right\]")
_POWER = re.compile(r"\^{(\d)}|([²³⁴⁵⁶⁷⁸⁹])")


class ElidedError(Exception):
    """A matrix whose middle is left out."""


def read(printed, values, form):
    """Return the number or array that a printed expression stands for."""
    if form == "mathml":
        return _value(_elements(list(_wrapped(printed)), _canonical(values)))
    return _value(_tokens(printed, values, form))


def _tokens(printed, values, form):
    names = sorted(values, key=len, reverse=True)
    found, at = [], 0
    while at < len(printed):
        name = next((name for name in names if printed.startswith(name, at)), None)
        array, number = _ARRAY.match(printed, at), _NUMBER.match(printed, at)
        power = _POWER.match(printed, at)
        sign = next((sign for sign in _SIGNS[form] if printed.startswith(sign, at)), None)
        if name is not None:
            found.append(values[name])
            at += len(name)
        elif array is not None:
            rows = [row.split(" & ") for row in array[1].split(r" \\ ")]
            if any("dots" in entry for row in rows for entry in row):
                raise ElidedError
            found.append([[read(entry, values, form) for entry in row] for row in rows])
            at = array.end()
        elif power is not None:
            found.append(("^", float(power[1] or "  ²³⁴⁵⁶⁷⁸⁹".index(power[2]))))
            at = power.end()
        elif number is not None:
            found.append(float(number[1]) * 10.0 ** int(number[2] or 0))
            at = number.end()
        elif sign is not None:
            found += ["fraction", "("] if sign == r"\frac{" else list(_SIGNS[form][sign])
            at += len(sign)
        else:
            raise AssertionError(f"cannot read {printed[at : at + 40]!r}")
    return found


def _wrapped(printed):
    return ET.fromstring(f"<row>{printed}</row>")  # noqa: S314 - we wrote it


def _canonical(values):
    return {
        ET.tostring(_wrapped(name)[0], encoding="unicode"): value for name, value in values.items()
    }


_OPERATORS = {"+": "+", "−": "-", "⋅": "*", "(": "(", ")": ")"}


def _elements(elements, values):
    """Return the tokens of MathML elements beside each other."""
    found = []
    for element in elements:
        own = ET.tostring(element, encoding="unicode")
        inside = list(element)
        if own in values:
            found.append(values[own])
        elif element.tag == "mn":
            found.append(float(element.text))
        elif element.tag == "mo":
            if element.text in "⋯⋮⋱":
                raise ElidedError
            found.append(_OPERATORS[element.text])
        elif element.tag == "mfrac":
            over, under = (_value(_elements([part], values)) for part in inside)
            found.append(over / under)
        elif element.tag == "msqrt":
            found += ["√", "(", *_elements(inside, values), ")"]
        elif element.tag == "msup":
            found += [*_elements(inside[:1], values), ("^", float(inside[1].text))]
        elif [part.text for part in inside if part.tag == "mo"] == ["[", "]"]:
            rows = [[list(cell) for cell in row] for row in inside[1]]
            found.append([[_value(_elements(cell, values)) for cell in row] for row in rows])
        else:
            assert element.tag == "mrow", own
            found += ["(", *_elements(inside, values), ")"]
    return found


def _value(tokens):
    """Return the value of a sum of products; a matrix is a list of rows."""
    left = list(tokens)

    def follows(*signs):
        return bool(left) and isinstance(left[0], str) and left[0] in signs

    def whole():
        total = None
        while left and not follows(")"):
            sign = left.pop(0) if follows("+", "-") else "+"
            term = product()
            if isinstance(term, list):
                return term
            total = (0.0 if total is None else total) + (term if sign == "+" else -term)
        return total

    def product():
        result = factor()
        while left and not follows("+", "-", ")"):
            sign = left.pop(0) if follows("*", "/") else "*"
            other = factor()
            if isinstance(other, list):
                (row,) = result
                pairs = zip(row, other, strict=True)
                result = sum(np.asarray(entry) * effect for entry, (effect,) in pairs)
            else:
                result = result * other if sign == "*" else result / other
        return result

    def factor():
        mark = left.pop(0)
        if isinstance(mark, str) and mark == "√":
            return np.sqrt(factor())
        if isinstance(mark, str) and mark == "fraction":
            return factor() / factor()
        if isinstance(mark, str):
            assert mark == "(", mark
            mark = whole()
            left.pop(0)
        return mark ** left.pop(0)[1] if left and isinstance(left[0], tuple) else mark

    result = whole()
    assert not left, left
    return result
