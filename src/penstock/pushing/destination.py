"""The destination of a Pusher: TFX's message as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.spelling import names_its_arguments, nearest

VERSIONINGS = ("auto", "unix_timestamp", "next")
_EXTRAS = {"gs": "gcp", "gcs": "gcp", "s3": "s3", "s3a": "s3"}


@names_its_arguments
@dataclass(frozen=True)
class Filesystem:
    """A folder that a server watches.

    Args:
        base_directory: The folder of all versions; a path or an fsspec URL such as `gs://models/taxi`.
        versioning: "auto" and "unix_timestamp" name versions by the time in seconds, "next" counts.
    """

    base_directory: str
    versioning: str = "auto"

    def __post_init__(self) -> None:
        if self.base_directory == "":
            raise ValueError("Filesystem needs a base_directory. Received: ''")
        if isinstance(self.versioning, str) and self.versioning not in VERSIONINGS:
            raise ValueError(
                f"versioning must be one of {list(VERSIONINGS)}. "
                f"Received: versioning={self.versioning!r}"
            )


@names_its_arguments
@dataclass(frozen=True)
class PushDestination:
    """The destination of a Pusher.

    Args:
        filesystem: A folder.

    Example:
        >>> PushDestination(filesystem=Filesystem(base_directory="serving/penguin"))
    """

    filesystem: Filesystem


def check_url(destination: str) -> None:
    """Raise unless the package for an fsspec URL is there.

    Raises:
        ImportError: If it is not installed; the message says what to install.
        ValueError: If there is no such protocol.
    """
    protocol = check_protocol(destination)
    from fsspec.registry import get_filesystem_class

    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        how = f" Install it: pip install 'penstock-ml[{extra}]'" if extra else ""
        raise ImportError(
            f"{destination} needs a package that is missing: {error}.{how}"
        ) from error


def check_protocol(destination: str) -> str:
    """Return the protocol of an fsspec URL; what it needs is not imported.

    Raises:
        ValueError: If there is no such protocol.
    """
    from fsspec.registry import available_protocols, registry

    protocol = destination.partition("://")[0].partition("::")[0]
    known = {*available_protocols(), *registry}
    if protocol not in known:
        near = nearest(protocol, known) or " Others are gs, s3, abfs and hdfs."
        raise ValueError(
            f"fsspec knows no protocol {protocol!r}.{near} Received: "
            f"push_destination={destination!r}"
        )
    return protocol


# TFX nests the message.
PushDestination.Filesystem = Filesystem  # type: ignore[attr-defined]
