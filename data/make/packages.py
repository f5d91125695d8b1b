"""Makes data/packages/packages.parquet of the package index of Debian 12.

    apt-cache dumpavail | python data/make/packages.py

Its input is the index as `apt-get update` fetches it, with a stanza for each package.
"""

import collections
import random
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

MOST_COMMON = 0.1
"""What more than this part of the sources depends on says nothing about them, such as libc6."""
LEAST_USES = 20
LEAST_DEPENDENCIES = 4
MOST_KNOWN = 16
TARGETS_OF_A_PACKAGE = 4
SEED = 12


def stanzas(lines: Iterable[str]) -> Iterable[dict[str, str]]:
    """Yield the one-line fields of each package."""
    fields: dict[str, str] = {}
    for line in [*lines, "\n"]:
        if line == "\n":
            if fields:
                yield fields
            fields = {}
        elif not line.startswith(" ") and ":" in line:
            name, value = line.split(":", 1)
            fields[name] = value.strip()


def dependencies(packages: list[dict[str, str]]) -> tuple[dict[str, set[str]], dict[str, str]]:
    """Return what each source package depends on, and its section."""
    names = {each["Package"] for each in packages}
    needs: dict[str, set[str]] = collections.defaultdict(set)
    made: dict[str, set[str]] = collections.defaultdict(set)
    sections: dict[str, str] = {}
    for each in packages:
        source = each.get("Source", each["Package"]).split(" ")[0]
        made[source].add(each["Package"])
        sections.setdefault(source, each.get("Section", "").split("/")[-1])
        for clause in each.get("Depends", "").split(","):
            # The first of alternatives, without its version and architecture.
            name = re.split(r"[ (:|]", clause.strip())[0]
            if name in names:
                needs[source].add(name)
    return {source: found - made[source] for source, found in needs.items()}, sections


def make(lines: Iterable[str]) -> pa.Table:
    """Return a row for each of up to four dependencies of a package: the others, and it as target."""
    needs, sections = dependencies(list(stanzas(lines)))
    uses = collections.Counter(name for found in needs.values() for name in found)
    kept = {name for name, n in uses.items() if LEAST_USES <= n <= MOST_COMMON * len(sections)}
    drawn = random.Random(SEED)
    rows = []
    for source in sorted(needs):
        found = sorted(needs[source] & kept)
        if len(found) < LEAST_DEPENDENCIES:
            continue
        for target in drawn.sample(found, min(TARGETS_OF_A_PACKAGE, len(found))):
            others = [name for name in found if name != target]
            known = drawn.sample(others, min(MOST_KNOWN, len(others)))
            rows.append((source, sections[source], sorted(known), target))
    package, section, known, target = zip(*rows, strict=True)
    return pa.table({"package": package, "section": section, "depends": known, "target": target})


if __name__ == "__main__":
    table = make(sys.stdin)
    folder = Path(__file__).parents[1] / "packages"
    pq.write_table(table, folder / "packages.parquet", compression="zstd", compression_level=19)
