"""The same spec, rows and sums through Dask, whose workers read the partitions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import lme4py
from lme4py.crossproducts import Crossproducts
from lme4py.errors import DataError

from .models import FORMULAS, design_of, frame
from .test_blocks import rows_differ

dask = pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("distributed")

# Closing the cluster leaves sockets to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def workers():
    """Two workers, each a process of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0
        )
        client = distributed.Client(cluster)
    yield client
    client.close()
    cluster.close()


def scanned(formula, data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lme4py.scan(formula, data, **options)


def partitioned(partitions=5):
    return dask.from_pandas(frame(), npartitions=partitions)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.usefixtures("workers")
def test_workers_learn_the_spec_of_all_rows(formula):
    options = FORMULAS[formula]
    data = partitioned()
    design = design_of(formula, data.compute(), options)
    assert scanned(formula, data, **options).to_json() == design.spec.to_json()


@pytest.mark.usefixtures("workers")
def test_rows_and_sums():
    data = partitioned()
    design = design_of("y ~ scale(x) + f + (x | g)", data.compute(), {"weights": "z"})
    spec = scanned("y ~ scale(x) + f + (x | g)", data, weights="z")
    assert rows_differ(design, spec.blocks(data)) == []
    found, again = spec.crossproducts(data), spec.crossproducts(data)
    whole = Crossproducts.of(design.X, design.Zt, design.y, weights=design.weights)
    np.testing.assert_allclose(found.XtX, whole.XtX, rtol=1e-12)
    np.testing.assert_allclose(found.ZtZ.toarray(), whole.ZtZ.toarray(), rtol=1e-12)
    np.testing.assert_array_equal(found.ZtX, again.ZtX)


@pytest.mark.usefixtures("workers")
def test_sums_of_partitions_are_added_on_request():
    data = partitioned()
    formula = "y ~ scale(x) + I(z / sd(z) - mean(m, na.rm = TRUE)) + (1 | g)"
    design, spec = design_of(formula, data.compute(), {}), scanned(formula, data, exact=False)
    X = np.vstack([block.X for block in spec.blocks(data)])
    np.testing.assert_allclose(X, design.X, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("workers")
def test_partitions_are_kept(tmp_path):
    data = partitioned()
    data["f"] = data["f"].astype("category")
    design = design_of("y ~ scale(x) + f + (x | g)", data.compute(), {})
    spec = scanned("y ~ scale(x) + f + (x | g)", data, spill=tmp_path / "rows")
    assert spec.to_json() == design.spec.to_json()
    assert rows_differ(design, spec.blocks(tmp_path / "rows")) == []


@pytest.mark.usefixtures("workers")
def test_unknown_categories_and_partitions_in_a_known_order():
    pieces = [frame().iloc[a : a + 125] for a in (250, 0, 375, 125)]
    data = dask.concat([dask.from_pandas(piece, npartitions=2) for piece in pieces])
    data["f"], data["g"] = data["f"].astype("category"), data["g"].astype("category")
    assert not data["f"].cat.known
    expected = design_of("y ~ f + (1 | g)", data.compute(), {}).spec.to_json()
    assert scanned("y ~ f + (1 | g)", data).to_json() == expected


def test_without_workers():
    data = partitioned(3)
    expected = design_of("y ~ poly(x, 2) + (1 | g)", frame(), {}).spec.to_json()
    assert scanned("y ~ poly(x, 2) + (1 | g)", data).to_json() == expected


def _dies(part):
    import os

    if 200 in part.index:
        os._exit(1)
    return part


def _fails(part):
    if 200 in part.index:
        raise OSError("the disk is gone")
    return part


def _changed(change):
    """Return the partitions after a change that Dask does not look at."""
    from dask import delayed

    parts = [delayed(change)(part) for part in partitioned().to_delayed()]
    return dask.from_delayed(parts, meta=frame().iloc[:0], verify_meta=False)


@pytest.mark.usefixtures("workers")
def test_errors_name_the_block():
    data = _changed(lambda part: part.assign(x="text") if 200 in part.index else part)
    with pytest.raises(DataError, match="is of type"):
        lme4py.scan("y ~ x + (1 | g)", data)
    data = _changed(lambda part: part.assign(x=1j) if 200 in part.index else part)
    with pytest.raises(DataError, match="complex") as caught:
        lme4py.scan("y ~ x + (1 | g)", data)
    assert "in block 3 of the source (partition 2)" in str(caught.value)
    with pytest.raises(DataError, match="could not be read: OSError: the disk is gone"):
        lme4py.scan("y ~ x + (1 | g)", _changed(_fails))


def test_a_worker_that_is_killed():
    import dask as settings

    with (
        settings.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0", memory_limit=0
        ) as cluster,
        distributed.Client(cluster),
    ):
        bad = partitioned().map_partitions(_dies, meta=frame().iloc[:0])
        # Dask blames a task that the worker had, which need not be the one that killed it.
        with pytest.raises(DataError, match=r"block \d .*could not be read: KilledWorker"):
            lme4py.scan("y ~ x + (1 | g)", bad)
