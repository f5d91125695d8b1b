"""`minio://` for fsspec: S3's protocol at a server of one's own, as Kubeflow names its own store.

The server and the credentials come from fsspec's configuration: `FSSPEC_MINIO_ENDPOINT_URL`,
`FSSPEC_MINIO_KEY`, `FSSPEC_MINIO_SECRET`, or AWS's own variables.
"""

from __future__ import annotations

from typing import ClassVar

from s3fs import S3FileSystem


class MinioFileSystem(S3FileSystem):  # type: ignore[misc]
    """S3's file system under another name, so that its settings are apart from those of S3 itself."""

    protocol: ClassVar[tuple[str, ...]] = ("minio",)
