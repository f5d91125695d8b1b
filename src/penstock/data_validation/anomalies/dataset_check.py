"""Constraints on the whole data set: how many rows, and compared with what came before."""

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data_validation.anomalies.checked_statistics import CheckedDataset
from penstock.data_validation.anomalies.finding import AnomalyType, Finding, six_digits


def check_dataset(
    constraints: schema_pb2.DatasetConstraints, view: CheckedDataset
) -> list[Finding]:
    """Check the number of rows; the constraints are changed to what would accept the data."""
    findings = []
    if constraints.HasField("num_examples_drift_comparator"):
        comparator = constraints.num_examples_drift_comparator
        findings += _compare(comparator, view, view.previous, "previous span")
    if constraints.HasField("num_examples_version_comparator"):
        comparator = constraints.num_examples_version_comparator
        findings += _compare(comparator, view, view.previous_version, "previous version")
    rows = view.num_examples
    if constraints.HasField("min_examples_count") and rows < constraints.min_examples_count:
        constraints.min_examples_count = int(rows)
        text = f"The dataset has {six_digits(rows)} examples, which is fewer than expected."
        kind = AnomalyType.DATASET_LOW_NUM_EXAMPLES
        findings.append(Finding(kind, "Low num examples in dataset.", text))
    if constraints.HasField("max_examples_count") and rows > constraints.max_examples_count:
        constraints.max_examples_count = int(rows)
        text = f"The dataset has {six_digits(rows)} examples, which is more than expected."
        kind = AnomalyType.DATASET_HIGH_NUM_EXAMPLES
        findings.append(Finding(kind, "High num examples in dataset.", text))
    return findings


def _compare(
    comparator: schema_pb2.NumericValueComparator,
    view: CheckedDataset,
    control: CheckedDataset | None,
    name: str,
) -> list[Finding]:
    if control is None:
        return []
    low, high = AnomalyType.COMPARATOR_LOW_NUM_EXAMPLES, AnomalyType.COMPARATOR_HIGH_NUM_EXAMPLES
    versus = f"num examples in current dataset versus the {name}"
    if not control.num_examples:
        if not comparator.HasField("max_fraction_threshold"):
            return []
        comparator.ClearField("max_fraction_threshold")
        text = (
            f"The {name} has 0 examples, so there is a high number of examples in the current "
            f"dataset versus the {name}."
        )
        return [Finding(high, f"High {versus}, which has 0.", text)]
    ratio = view.num_examples / control.num_examples
    measured = (
        f"The ratio of num examples in the current dataset versus the {name} is "
        f"{six_digits(ratio)} (up to six significant digits), which is"
    )
    findings = []
    maximum, minimum = comparator.max_fraction_threshold, comparator.min_fraction_threshold
    if comparator.HasField("max_fraction_threshold") and ratio > maximum:
        comparator.max_fraction_threshold = ratio
        text = f"{measured} above the threshold {six_digits(maximum)}."
        findings.append(Finding(high, f"High {versus}.", text))
    if comparator.HasField("min_fraction_threshold") and ratio < minimum:
        comparator.min_fraction_threshold = ratio
        text = f"{measured} below the threshold {six_digits(minimum)}."
        findings.append(Finding(low, f"Low {versus}.", text))
    return findings
