"""What a prepared folder of TensorFlow Datasets says about itself: splits, files and names of classes.

Source: `dataset_info.py`, `naming.py` and `features/` of tensorflow-datasets 4.9; its page "Load external
tfrecord with TFDS".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.io.files.filesystem import join, open_binary

INFO_FILE, FEATURES_FILE = "dataset_info.json", "features.json"
LABELS_ENDING = ".labels.txt"

_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"


class PreparedFolderError(ValueError):
    """A folder is not what TensorFlow Datasets prepares, or lacks files; the message names it."""


@dataclass(frozen=True)
class PreparedFolder:
    """A prepared dataset.

    Args:
        uri: The folder.
        name: The dataset's name.
        splits: For each split the number of rows in each of its files.
        files: For each split the names of its files.
        class_labels: The features that are classes, with the file that holds their names.
    """

    uri: str
    name: str
    splits: Mapping[str, Sequence[int]]
    files: Mapping[str, Sequence[str]]
    class_labels: Mapping[str, str]

    def check_files(self, found: Sequence[str]) -> int:
        """Return how many rows the files of these splits hold, by what the folder says.

        Args:
            found: Paths of files that will be read.

        Raises:
            PreparedFolderError: If a split is there in part.
        """
        names = {path.rsplit("/", 1)[-1] for path in found}
        rows = 0
        for split, files in self.files.items():
            there = [name for name in files if name in names]
            missing = [name for name in files if name not in names]
            if there and missing:
                raise PreparedFolderError(
                    f"{self.uri}: {len(missing)} of the {len(files)} files of split {split!r} are not "
                    f"there, such as {missing[0]}. Copy or prepare the dataset again."
                )
            if there:
                rows += sum(self.splits[split])
            names -= set(there)
        if names:
            raise PreparedFolderError(
                f"{self.uri}: {INFO_FILE} does not name {sorted(names)[0]}. Its splits: "
                f"{', '.join(self.splits)}"
            )
        return rows

    def names_of(self, feature: str) -> list[str]:
        """Return the names of a feature's classes, in their order.

        Raises:
            PreparedFolderError: If the folder does not have them.
        """
        file = self.class_labels[feature]
        try:
            with open_binary(join(self.uri, file)) as opened:
                lines = opened.read().decode().split("\n")
        except FileNotFoundError as error:
            raise PreparedFolderError(
                f"{self.uri}: there is no {file}, so the classes of {feature!r} have no names. Leave out "
                "label_names=True."
            ) from error
        return [line.strip() for line in lines if line.strip()]


def read_prepared_folder(uri: str) -> PreparedFolder:
    """Read what a folder says about itself.

    Args:
        uri: A local path or an fsspec URL, such as `tensorflow_datasets/mnist/3.0.1`.

    Raises:
        PreparedFolderError: If it is not a prepared folder, or not of TFRecord files.

    Example:
        >>> read_prepared_folder("tensorflow_datasets/mnist/3.0.1").splits
        {'test': [10000], 'train': [60000]}
    """
    info = _read(uri, INFO_FILE)
    features = _read(uri, FEATURES_FILE)
    kind = info.get("fileFormat", "tfrecord")
    if kind != "tfrecord":
        raise PreparedFolderError(
            f"{uri}: its files are of the format {kind}. Expected tfrecord: prepare the dataset with "
            "file_format='tfrecord'."
        )
    splits = {
        split["name"]: [int(length) for length in split.get("shardLengths", [])]
        for split in info.get("splits", [])
    }
    files = {
        split["name"]: _file_names(info["name"], split, len(splits[split["name"]]))
        for split in info.get("splits", [])
    }
    return PreparedFolder(uri, info["name"], splits, files, dict(_class_labels(features)))


def _read(uri: str, name: str) -> dict[str, Any]:
    try:
        with open_binary(join(uri, name)) as file:
            content: dict[str, Any] = json.load(file)
    except FileNotFoundError as error:
        raise PreparedFolderError(
            f"{uri}: there is no {name}. Expected a folder that TensorFlow Datasets has prepared, such as "
            "tensorflow_datasets/mnist/3.0.1."
        ) from error
    except ValueError as error:
        raise PreparedFolderError(f"{join(uri, name)}: not JSON: {error}") from error
    return content


def _file_names(dataset: str, split: Mapping[str, Any], count: int) -> list[str]:
    template = (split.get("filepathTemplate") or _TEMPLATE).rsplit("/", 1)[-1]
    names = []
    for index in range(count):
        values = {
            "DATASET": dataset,
            "SPLIT": split["name"],
            "FILEFORMAT": "tfrecord",
            "SHARD_INDEX": f"{index:05}",
            "NUM_SHARDS": f"{count:05}",
            "SHARD_X_OF_Y": f"{index:05}-of-{count:05}",
        }
        name = template
        for key, value in values.items():
            name = name.replace(f"{{{key}}}", value)
        names.append(name)
    return names


def _class_labels(feature: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the features in records that are classes, with the file of their names."""
    if "classLabel" in feature:
        yield path, f"{path.replace('/', '-')}{LABELS_ENDING}"
    for name, inner in feature.get("featuresDict", {}).get("features", {}).items():
        yield from _class_labels(inner, f"{path}/{name}" if path else name)
    if "sequence" in feature:
        yield from _class_labels(feature["sequence"]["feature"], path)
