"""The fits that lme4 wrote (fixtures/fits), each with the design of the same call here."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import lme4py
from lme4py.rfiles.read_rds import read_rds
from lme4py.rfiles.rvalues import RList, RVector

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "fits"
VERSIONS = ("1.1-31", "2.1")
LITERALS = {"TRUE": True, "FALSE": False}


@cache
def recorded(kind, version):
    return read_rds(FOLDER / f"{kind}-{version}.rds")


@dataclass(frozen=True)
class Record:
    kind: str
    version: str
    name: str

    @property
    def id(self):
        return f"{self.name}-{self.version}"

    @property
    def values(self):
        return recorded(self.kind, self.version)["fits"][self.name]

    def data(self):
        return recorded(self.kind, self.version)["data"][self.text("data")].table()

    def text(self, name):
        return self.values[name].values[0]

    @property
    def arguments(self):
        """The arguments besides formula, data and family, as Python's."""
        given = self.values["arguments"]
        found = {
            name: value.values[0] for name, value in zip(given.names or (), given, strict=True)
        }
        if "REML" in found:
            found["reml"] = LITERALS[found.pop("REML")]
        if "na.action" in found:
            found["na_action"] = found.pop("na.action")
        if "contrasts" in found:
            found["contrasts"] = {"recipe": "contr.sum"}
        if "nAGQ" in found:
            found["nAGQ"] = int(found["nAGQ"])
        found.pop("control", None)
        return found

    def design(self):
        arguments = {"lme4": self.version, **self.arguments}
        arguments.pop("nAGQ", None)
        if self.kind == "linear":
            return lme4py.lformula(self.text("formula"), self.data(), **arguments)
        family = self.text("family")
        return lme4py.glformula(self.text("formula"), self.data(), family=family, **arguments)

    def best(self, name):
        return plain(self.values["best"][name])

    @property
    def refined(self):
        """The optimum where lme4's own derivatives vanish (refine.R); None of a singular fit."""
        found = recorded("refined", self.version)["fits"][self.kind].get(self.name)
        return None if found is None else plain(found)

    def get(self, name):
        value = self.values.get(name)
        return None if value is None else plain(value)


def plain(value):
    """R's value as numpy's."""
    if isinstance(value, RVector) and value.is_matrix:
        return value.as_float()
    if isinstance(value, RList):
        return {name: plain(item) for name, item in zip(value.names, value, strict=True)}
    return np.asarray(value.values)


def records(kind):
    return [
        Record(kind, version, name)
        for version in VERSIONS
        if (FOLDER / f"{kind}-{version}.rds").exists()
        for name in recorded(kind, version)["fits"].names
    ]
