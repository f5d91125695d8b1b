"""What is imported when: heavy packages only where a pipeline executes."""

import subprocess
import sys

import pytest

HEAVY = (
    "tensorflow",
    "apache_beam",
    "pyarrow",
    "keras",
    "numpy",
    "pandas",
    "kfp",
    "tfx_bsl",
    "matplotlib",
)
TENSORFLOW = (
    "tensorflow",
    "apache_beam",
    "keras",
    "tensorflow_transform",
    "tensorflow_model_analysis",
)


def loaded(statement, names):
    """Return which of the packages a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*[n for n in {names!r} if n in sys.modules])"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return shown.stdout.split()


@pytest.mark.parametrize(
    "statement",
    [
        "import penstock",
        "import penstock; [getattr(penstock, name) for name in penstock.__all__]",
        "import penstock.dsl, penstock.graph, penstock.launch, penstock.runners.local",
        "import penstock.cli",
        "import penstock.checks.check_graph, penstock.checks.eval_config",
        "from penstock.store import MetadataStore",
        "import penstock.cli.starter.plan, penstock.cli.starter.project",
        "import penstock.components as c; [getattr(c, name) for name in c.__all__]",
        "import penstock.io, penstock.data_validation, penstock.transform, penstock.training",
        "import penstock.tuning, penstock.evaluation, penstock.serving, penstock.cards, penstock.beam",
        "import penstock.plots as p; [getattr(p, name) for name in p.__all__]",
        "import penstock.pushing as p; [getattr(p, name) for name in p.__all__]",
        "import penstock.registry as r; [getattr(r, name) for name in r.__all__]",
        "import penstock.scheduling as s; [getattr(s, name) for name in s.__all__]",
        "import penstock.notifications as n; [getattr(n, name) for name in n.__all__]",
        "import penstock.kubeflow as k; [getattr(k, name) for name in k.__all__]",
        "from penstock.evaluation import EvalConfig; from penstock.data_validation import StatsOptions",
    ],
)
def test_defining_and_reading_import_nothing_heavy(statement):
    assert loaded(statement, HEAVY) == []


def test_importing_penstock_does_not_import_sqlalchemy():
    assert loaded("import penstock, penstock.cli, penstock.store", ("sqlalchemy", "rich")) == []


def test_every_exported_name_is_there():
    import penstock
    import penstock.components

    for module in (penstock, penstock.components):
        for name in module.__all__:
            assert getattr(module, name) is not None
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            _ = module.nothing


@pytest.mark.parametrize(
    "statement",
    [
        "import penstock.io as io; [getattr(io, name) for name in io.__all__]",
        "import penstock.data_validation as dv; [getattr(dv, name) for name in dv.__all__]",
    ],
)
def test_the_data_plane_never_imports_tensorflow(statement):
    assert loaded(statement, TENSORFLOW) == []
