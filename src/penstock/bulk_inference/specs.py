"""What is inferred, and what becomes of it: TFX's messages of `bulk_inferrer.proto` as dataclasses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.serving.signature import DEFAULT_SIGNATURE
from penstock.spelling import names_its_arguments


def _names(owner: str, given: Any, *, once: bool = True) -> tuple[str, ...]:
    listed = isinstance(given, list | tuple)
    if not listed or any(not each or isinstance(each, int | float) for each in given):
        raise TypeError(f"{owner} is a list of names. Received: {given!r}")
    if once and (repeated := {each for each in given if given.count(each) > 1}):
        raise ValueError(
            f"{owner} names {min(map(str, repeated))!r} twice. Received: {list(given)}"
        )
    return tuple(given)


@names_its_arguments
@dataclass(frozen=True)
class ModelSpec:
    """Which signatures of a model are called.

    Args:
        model_signature_name: The signatures; `serving_default` when empty. Several are several heads of
            one model.
        tag: The tags of the graph in the SavedModel; `serve` when empty.

    Example:
        >>> ModelSpec(model_signature_name=["classify_species", "regress_mass"])
    """

    model_signature_name: Sequence[str] = ()
    tag: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("model_signature_name", "tag"):
            object.__setattr__(self, name, _names(f"ModelSpec.{name}", getattr(self, name)))

    @property
    def signatures(self) -> tuple[str, ...]:
        """The signatures that are called."""
        return tuple(self.model_signature_name) or (DEFAULT_SIGNATURE,)


@names_its_arguments
@dataclass(frozen=True)
class DataSpec:
    """Which rows are inferred.

    Args:
        example_splits: The splits; all when empty.
    """

    example_splits: Sequence[str] = ()

    def __post_init__(self) -> None:
        splits = _names("DataSpec.example_splits", self.example_splits)
        object.__setattr__(self, "example_splits", splits)


@names_its_arguments
@dataclass(frozen=True)
class PredictOutputCol:
    """An output of a signature as a column.

    Args:
        output_key: The output's name in the signature.
        output_column: The column's name.
    """

    output_key: str
    output_column: str

    def __post_init__(self) -> None:
        for name in ("output_key", "output_column"):
            if not getattr(self, name):
                raise ValueError(f"PredictOutputCol needs an {name}. Received: {name}=''")


@names_its_arguments
@dataclass(frozen=True)
class PredictOutput:
    """The columns for the outputs of a signature.

    Args:
        output_columns: One for each output to keep.
    """

    output_columns: Sequence[PredictOutputCol]

    def __post_init__(self) -> None:
        columns = self.output_columns
        if (
            not isinstance(columns, list | tuple)
            or not columns
            or not all(isinstance(each, PredictOutputCol) for each in columns)
        ):
            raise TypeError(
                "PredictOutput.output_columns is a list of PredictOutputCol(output_key=..., "
                f"output_column=...). Received: {columns!r}"
            )
        object.__setattr__(self, "output_columns", tuple(columns))


@names_its_arguments
@dataclass(frozen=True)
class ClassifyOutput:
    """The columns for a classification; one of both may be left out.

    Args:
        label_column: The column for the names of the classes.
        score_column: The column for their scores.
    """

    label_column: str = ""
    score_column: str = ""

    def __post_init__(self) -> None:
        if not self.label_column and not self.score_column:
            raise ValueError(
                "ClassifyOutput needs a label_column, a score_column or both. Received: neither"
            )


@names_its_arguments
@dataclass(frozen=True)
class RegressOutput:
    """The column for a regression.

    Args:
        value_column: The column's name.
    """

    value_column: str

    def __post_init__(self) -> None:
        if not self.value_column:
            raise ValueError("RegressOutput needs a value_column. Received: value_column=''")


@names_its_arguments
@dataclass(frozen=True)
class OutputColumnsSpec:
    """The columns for one signature: exactly one of the three outputs.

    Args:
        signature_name: The signature; may be left out where only one is called.
        classify_output: For a signature that classifies.
        regress_output: For a signature that regresses.
        predict_output: For any other signature.
    """

    signature_name: str = ""
    classify_output: ClassifyOutput | None = None
    regress_output: RegressOutput | None = None
    predict_output: PredictOutput | None = None

    def __post_init__(self) -> None:
        given = [name for name in _OUTPUT_OF.values() if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"OutputColumnsSpec takes exactly one of {', '.join(_OUTPUT_OF.values())}. "
                f"Received: {' and '.join(given) or 'none'}"
            )

    @property
    def method(self) -> str:
        """The method of the signatures that it is for: "classify", "regress" or "predict"."""
        return next(
            method for method, name in _OUTPUT_OF.items() if getattr(self, name) is not None
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        if self.predict_output is not None:
            return tuple(each.output_column for each in self.predict_output.output_columns)
        if self.regress_output is not None:
            return (self.regress_output.value_column,)
        assert self.classify_output is not None
        both = (self.classify_output.label_column, self.classify_output.score_column)
        return tuple(name for name in both if name)


_OUTPUT_OF = {
    "classify": "classify_output",
    "regress": "regress_output",
    "predict": "predict_output",
}


@names_its_arguments
@dataclass(frozen=True)
class OutputExampleSpec:
    """Asks for Examples with the predictions as further columns, instead of PredictionLogs.

    Args:
        output_columns_spec: The columns for each signature.

    Example:
        >>> OutputExampleSpec(
        ...     output_columns_spec=[
        ...         OutputColumnsSpec(
        ...             predict_output=PredictOutput(
        ...                 output_columns=[PredictOutputCol("probabilities", "probability")]
        ...             )
        ...         )
        ...     ]
        ... )
    """

    output_columns_spec: Sequence[OutputColumnsSpec]

    def __post_init__(self) -> None:
        specs = self.output_columns_spec
        if (
            not isinstance(specs, list | tuple)
            or not specs
            or not all(isinstance(each, OutputColumnsSpec) for each in specs)
        ):
            raise TypeError(
                "OutputExampleSpec.output_columns_spec is a list of OutputColumnsSpec(...), one for each "
                f"signature. Received: {specs!r}"
            )
        object.__setattr__(self, "output_columns_spec", tuple(specs))
        columns = [name for spec in specs for name in spec.columns]
        if repeated := {name for name in columns if columns.count(name) > 1}:
            raise ValueError(
                f"Two outputs go to the column {min(repeated)!r}. Give each a column of its own."
            )

    def by_signature(self, signatures: Sequence[str]) -> dict[str, OutputColumnsSpec]:
        """Return the columns for each signature that is called.

        Raises:
            ValueError: If a signature has none, or one is named that is not called.
        """
        specs = self.output_columns_spec
        if len(signatures) == 1 and len(specs) == 1 and not specs[0].signature_name:
            return {signatures[0]: specs[0]}
        found: dict[str, OutputColumnsSpec] = {}
        for spec in specs:
            name = spec.signature_name or DEFAULT_SIGNATURE
            if name not in signatures:
                raise ValueError(
                    f"An OutputColumnsSpec is for the signature {name!r}, which is not called. "
                    f"Called: {', '.join(signatures)} (ModelSpec.model_signature_name)"
                )
            if name in found:
                raise ValueError(f"Two OutputColumnsSpecs are for the signature {name!r}.")
            found[name] = spec
        if missing := [name for name in signatures if name not in found]:
            raise ValueError(
                f"The signature {missing[0]!r} is called, but no OutputColumnsSpec is for it. Add one, or "
                "leave it out of ModelSpec.model_signature_name."
            )
        return found
