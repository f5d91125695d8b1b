"""Runs each pipeline of `pipelines/` in full and writes how its model did beside its baseline.

Each runs cold in a folder of its own below `build/results`. What its BaselineComparisons found goes into
`docs/pipelines/results.json`, and from there into the tables of README.md and docs/pipelines/index.md,
between the comments `<!-- results -->` and `<!-- end of results -->`.

    python benchmarks/pipelines.py                   # all of them
    python benchmarks/pipelines.py digits text       # these; the others stay as they are
    python benchmarks/pipelines.py --tables          # only write the tables again
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "docs/pipelines/results.json"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"
PAGES = {"README.md": "docs/pipelines/", "docs/pipelines/index.md": ""}
"""The pages with the table, and where the pages of pipelines lie from there."""
ELSEWHERE = {"penguin": "../tutorial.md"}
SEED = 1
KEPT = ("name", "model", "baseline", "lower_is_better", "margin", "ok")


def names() -> list[str]:
    """Return all pipelines."""
    return sorted(file.stem for file in (REPOSITORY / "pipelines").glob("*.py"))


def run(name: str) -> dict[str, Any]:
    """Run a pipeline in a folder of its own and return what its comparisons found."""
    folder = REPOSITORY / "build/results" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    for each in ("pipelines", "modules"):
        shutil.copytree(REPOSITORY / each, folder / each)
    (folder / "data").symlink_to(REPOSITORY / "data")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "penstock",
            "run",
            f"pipelines/{name}.py",
            "--json",
            "--seed",
            str(SEED),
        ],
        cwd=folder,
        env=os.environ | {"PENSTOCK_STORE": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{name} failed: {folder}\n{done.stdout}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_seconds": round(cpu), "comparisons": list(comparisons(folder, name))}


def comparisons(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the comparisons of the latest run in a folder, in the order in which they were made."""
    from penstock.store import MetadataStore

    with MetadataStore.open(folder / ".penstock/metadata.db") as store:
        outputs = store.run_outputs(store.latest_run(name).run_id)
    for node, by_key in sorted(outputs.items()):
        for artifact in by_key.get("comparison", ()):
            found = artifact.value
            judged = [each for each in found["metrics"] if each["margin"] is not None]
            yield {
                "node": node,
                "baseline": found["description"] or found["baseline"],
                "rows": found["rows"][found["eval_split"]],
                "metrics": [{key: each[key] for key in KEPT} for each in judged],
            }


def table(results: Mapping[str, Any], pages: str) -> str:
    """Return the table: a row for each pipeline, comparison and metric that is judged."""
    lines = [
        "| pipeline | what it learns | on held-out rows | model | baseline | what that is | CPU time |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in sorted(results.items()):
        link = f"[`{name}`]({os.path.normpath(pages + ELSEWHERE.get(name, name + '.md'))})"
        head = [link, title(name)]
        tail = f"{found['cpu_seconds']} s"
        for compared in found["comparisons"]:
            for metric in compared["metrics"]:
                lower = " (lower is better)" if metric["lower_is_better"] else ""
                lines.append(
                    f"| {' | '.join(head)} | {metric['name'].replace('_', ' ')}{lower}, "
                    f"{compared['rows']:,} rows "
                    f"| **{metric['model']:.4g}** | {metric['baseline']:.4g} "
                    f"| {compared['baseline'].rstrip('.')} | {tail} |"
                )
                head, tail = ["", ""], ""
    return "\n".join(lines)


def title(name: str) -> str:
    """Return the first sentence of a pipeline's file, without the name before a colon."""
    text = ast.get_docstring(ast.parse((REPOSITORY / f"pipelines/{name}.py").read_text())) or ""
    first = " ".join(text.split("\n\n")[0].split()).rstrip(".")
    return first.replace("|", "\\|")


def write_tables(results: Mapping[str, Any]) -> None:
    """Write the table into the pages."""
    for page, pages in PAGES.items():
        path = REPOSITORY / page
        before, _, rest = path.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        path.write_text(f"{before}{BEGIN}\n{table(results, pages)}\n{END}{after}")


def main(words: Sequence[str]) -> None:
    """Run what is asked for and write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="pipelines; all of them by default")
    parser.add_argument("--tables", action="store_true", help="run nothing, write the tables again")
    given = parser.parse_args(words)
    if unknown := sorted(set(given.names) - set(names())):
        parser.error(f"no pipelines/{unknown[0]}.py; there are {', '.join(names())}")
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    results = {name: found for name, found in results.items() if name in names()}
    for name in [] if given.tables else given.names or names():
        print(f"{name} ...", flush=True)
        results[name] = run(name)
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        print(f"{name}: {results[name]['cpu_seconds']} s of CPU", flush=True)
    write_tables(results)


if __name__ == "__main__":
    main(sys.argv[1:])
