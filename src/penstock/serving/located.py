"""Where a model lies that is given by a path, a URL or a name."""

from __future__ import annotations

from penstock.artifacts.location import is_local, local_path


def located(path: str, version: int | str | None) -> tuple[str, int | str | None]:
    """Return a folder on this machine and the version in it, None for the highest.

    A version on an object store is downloaded into the user's cache, and verified.

    Args:
        path: A path, an fsspec URL, or a name such as `models:/taxi@champion`.
        version: The version that was asked for besides.

    Raises:
        ModelError: If an object store has no version, or what was downloaded is damaged.
        ValueError: If there is no such version or alias.
        LookupError: If there is no model of that name.
    """
    if path.startswith("models:/"):
        from penstock.registry.model_uri import locate

        if version is not None:
            raise ValueError(
                f"{path} names a version itself. Received besides: version={version!r}"
            )
        found = locate(path)
        path, version = found.destination, found.version
    if is_local(path):
        return local_path(path), version
    from penstock.pushing.fetch import fetch_version

    return fetch_version(path, None if version is None else int(version)), None
