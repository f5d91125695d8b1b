"""Shards written each on its own: whole, and with the same bytes whichever of several writers wins."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping

from penstock.artifacts import location, split_uri
from penstock.io.examples.formats import file_format_named


def shard_url(uri: str, split: str, name: str, number: int, shards: int, file_format: str) -> str:
    """Return the file of one shard of an Examples artifact.

    Args:
        uri: The artifact's folder.
        split: The split's name.
        name: The shards' name without their number.
        number: The shard's number, from 0.
        shards: How many shards the split has.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".

    Example:
        >>> shard_url("out", "train", "data_tfrecord", 0, 2, "tfrecords_gzip")
        'out/Split-train/data_tfrecord-00000-of-00002.gz'
    """
    file = f"{name}-{number:05d}-of-{shards:05d}{file_format_named(file_format).extension}"
    return f"{split_uri(uri, split)}/{file}"


@contextlib.contextmanager
def written_whole(url: str) -> Iterator[str]:
    """Give a local path to write to; the file appears at `url` when the block ends well.

    So nobody sees half of it, and a second attempt may come at any time.

    Args:
        url: Where the file belongs; a path or an fsspec URL. Its folder is made.
    """
    if location.is_local(url):
        folder, name = os.path.split(location.local_path(url))
        os.makedirs(folder, exist_ok=True)
        temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex}")
        try:
            yield temporary
            os.replace(temporary, os.path.join(folder, name))
        finally:
            if os.path.exists(temporary):
                os.remove(temporary)
        return
    with tempfile.TemporaryDirectory(prefix="penstock-shard-") as folder:
        path = os.path.join(folder, "shard")
        yield path
        # An object appears when its upload is complete.
        with open(path, "rb") as file:
            location.write_bytes(url, file.read())


def write_row_counts(uri: str, counts: Mapping[str, int], quarantined: int | None = None) -> None:
    """Write `row_counts.json` beside the splits of an Examples artifact.

    Args:
        uri: The artifact's folder.
        counts: The rows of each split.
        quarantined: The rows that were left out; None where a broken row is an error.
    """
    from penstock.io.examples.writer import QUARANTINE_KEY, ROW_COUNTS_FILE

    known = dict(counts) if quarantined is None else {**counts, QUARANTINE_KEY: quarantined}
    text = json.dumps(known, indent=1, sort_keys=True) + "\n"
    location.write_bytes(f"{uri.rstrip('/')}/{ROW_COUNTS_FILE}", text.encode())
