"""Small pipelines that every runner must bring to the same end, and their components."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import ClassVar, NamedTuple

from penstock.artifacts import Artifact, Examples, Integer, Model, PropertyType, Schema, String
from penstock.dsl import (
    Component,
    ExecutionContext,
    ExternalPath,
    Importer,
    Input,
    LatestArtifacts,
    Output,
    Pipeline,
    Resolver,
    RuntimeParameter,
    component,
    output,
)


class Words(Artifact):
    """A list of words, one per line."""

    PROPERTIES: ClassVar = {"count": PropertyType.INT, "language": PropertyType.STRING}


class Facts(NamedTuple):
    """Values of several types."""

    total: int
    mean: float
    text: str
    even: bool
    names: dict  # type: ignore[type-arg]


@component
def write_examples(examples: Output[Examples], rows: int, word: str = "row {{$}} $(HOME)") -> int:
    """Write two splits and return how many rows they have together."""
    for split in ("train", "eval"):
        folder = Path(examples.uri, f"Split-{split}")
        folder.mkdir(parents=True)
        (folder / "rows.txt").write_text("".join(f"{word} {each}\n" for each in range(rows)))
    examples.splits = ["train", "eval"]
    examples.properties["span"] = 3
    return 2 * rows


@component
def summarize(examples: Input[Examples], rows: int, scale: float = 1.5) -> Facts:
    """Return values of several types about examples; `rows` comes from a channel."""
    text = Path(examples.split_uri("train"), "rows.txt").read_text()
    names = {"splits": examples.splits, "span": examples.properties["span"]}
    return Facts(rows, scale * len(text), text.splitlines()[0], rows % 2 == 0, names)


@component
def join(words: Input[list[Words]], joined: Output[Words], prefix: str) -> None:
    """Join lists of words in the order in which they were given."""
    lines = [line for each in words for line in Path(each.uri, "words").read_text().split()]
    Path(joined.uri, "words").write_text("\n".join([prefix, *lines]))
    joined.properties.update(count=len(lines), language=words[0].properties["language"])


@component
def write_words(words: Output[Words], text: str) -> None:
    """Write a list of words."""
    Path(words.uri, "words").write_text("\n".join(text.split()))
    words.properties.update(count=len(text.split()), language="en")


class Maybe(Component):
    """Writes its second output only if it is told to."""

    written: bool
    sure: Output[Integer] = output()
    perhaps: Output[String] = output(optional=True)

    def run(self, context: ExecutionContext) -> None:
        """Write one output or two."""
        self.sure.value = 1
        if self.written:
            self.perhaps.value = "here"


class Look(Component):
    """Says whether it was given something."""

    perhaps: Input[String] | None = None
    seen: Output[String] = output()

    def run(self, context: ExecutionContext) -> None:
        """Write what was given."""
        self.seen.value = "nothing" if self.perhaps is None else self.perhaps.value


class LookAtModels(Component):
    """Says what a resolver found."""

    models: Input[list[Model]] | None = None
    seen: Output[String] = output()

    def run(self, context: ExecutionContext) -> None:
        """Write the content of what was found."""
        found = [Path(each.uri, "model").read_text() for each in self.models or []]
        self.seen.value = json.dumps(found)


@component
def read_words(words: Output[Words], folder: ExternalPath) -> None:
    """Copy words from outside."""
    Path(words.uri, "words").write_text(Path(folder, "words").read_text())
    words.properties.update(language="en")


@component
def write_model(model: Output[Model], content: str) -> None:
    """Write a model."""
    Path(model.uri, "model").write_text(content)


@component
def fail(words: Input[Words], model: Output[Model]) -> None:
    """Write half of a model and fail."""
    Path(model.uri, "half").write_text("half")
    raise RuntimeError(f"cannot train on {Path(words.uri, 'words').read_text()!r}")


@component
def use(model: Input[Model]) -> str:
    """Read a model."""
    return Path(model.uri, "model").read_text()


@component
def fail_at_first(result: Output[String], counter: str, failures: int) -> None:
    """Fail as often as told; the file `counter` counts the attempts."""
    attempt = int(Path(counter).read_text()) + 1 if os.path.exists(counter) else 1
    Path(counter).write_text(str(attempt))
    result.value = f"attempt {attempt}"
    if attempt <= failures:
        raise ConnectionError(f"attempt {attempt} of {failures + 1}")


@component
def draw() -> float:
    """Return a random number."""
    return random.random()


@component
def note(context: ExecutionContext, log: str) -> int:
    """Append the node's name to a file."""
    with open(log, "a") as file:
        file.write(f"{context.node_id}\n")
    return 1


def values() -> Pipeline:
    """Values and artifacts, through channels, constants and runtime parameters."""
    rows = RuntimeParameter("rows", int, default=4)
    scale = RuntimeParameter("scale", float, default=2.0)
    written = write_examples(rows=rows)
    summary = summarize(
        examples=written.outputs["examples"], rows=written.outputs["result"], scale=scale
    )
    return Pipeline("values", components=[written, summary])


def several() -> Pipeline:
    """One input that reads several nodes, in order; an artifact type of your own."""
    one = write_words(text="a b").with_id("one")
    two = write_words(text="c").with_id("two")
    both = join(words=[two.outputs["words"], one.outputs["words"]], prefix="both")
    return Pipeline("several", components=[one, two, both])


def optional(written: bool) -> Pipeline:
    """Return an output that may be absent."""
    maybe = Maybe(written=written)
    return Pipeline("optional", components=[maybe, Look(perhaps=maybe.outputs["perhaps"])])


def history(content: str) -> Pipeline:
    """Return what earlier runs published, before this run publishes."""
    found = Resolver(LatestArtifacts(count=2), models=Model).with_id("found")
    look = LookAtModels(models=found.outputs["models"])
    model = write_model(content=content)
    model.add_upstream_node(look)
    return Pipeline("history", components=[found, look, model])


def imported(source: str) -> Pipeline:
    """Return an artifact from outside."""
    schema = Importer(source, Schema, custom_properties={"origin": "outside"})
    return Pipeline("imported", components=[schema])


def outside(folder: str) -> Pipeline:
    """Return nodes that read a folder which nothing in the pipeline writes."""
    words = read_words(folder=folder)
    same = Importer(folder, Words)
    both = join(words=[words.outputs["words"], same.outputs["result"]], prefix="both")
    return Pipeline("outside", components=[words, same, both])


def failing() -> Pipeline:
    """Return a branch that fails beside one that does not."""
    words = write_words(text="a b c")
    model = fail(words=words.outputs["words"])
    used = use(model=model.outputs["model"])
    other = join(words=[words.outputs["words"]], prefix="other")
    return Pipeline("failing", components=[words, model, used, other])


def flaky(counter: str, failures: int, retries: int) -> Pipeline:
    """Return a node that fails at first."""
    node = fail_at_first(counter=counter, failures=failures)
    return Pipeline("flaky", components=[node.with_policy(retries=retries, backoff_seconds=0)])


def seeded() -> Pipeline:
    """Something random."""
    return Pipeline("seeded", components=[draw().with_id("one"), draw().with_id("two")])


def ordered(log: str) -> Pipeline:
    """Nodes that wait for each other and read nothing."""
    third, second, first = (note(log=log).with_id(each) for each in ("third", "second", "first"))
    second.add_upstream_node(first)
    third.add_upstream_node(second)
    return Pipeline("ordered", components=[third, second, first])
