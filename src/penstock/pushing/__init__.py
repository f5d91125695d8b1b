"""Pushing: models as versions in a folder or bucket, with manifests and aliases, for servers to load."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.pushing.aliases import (
        AliasChange,
        alias_history,
        read_aliases,
        remove_alias,
        set_alias,
    )
    from penstock.pushing.destination import Filesystem, PushDestination
    from penstock.pushing.leases import hold_version, is_held
    from penstock.pushing.manifest import (
        FileEntry,
        Manifest,
        read_manifest,
        verify_manifest,
        write_manifest,
    )
    from penstock.pushing.push import PushedVersion, push_model, sweep_staging
    from penstock.serving.saved_model import ModelError
    from penstock.serving.versions import list_versions, version_folders

_MODULE_OF = {
    "AliasChange": "aliases",
    "FileEntry": "manifest",
    "Filesystem": "destination",
    "Manifest": "manifest",
    "ModelError": "penstock.serving.saved_model",
    "PushDestination": "destination",
    "PushedVersion": "push",
    "alias_history": "aliases",
    "hold_version": "leases",
    "is_held": "leases",
    "list_versions": "penstock.serving.versions",
    "push_model": "push",
    "read_aliases": "aliases",
    "read_manifest": "manifest",
    "remove_alias": "aliases",
    "set_alias": "aliases",
    "sweep_staging": "push",
    "verify_manifest": "manifest",
    "version_folders": "penstock.serving.versions",
    "write_manifest": "manifest",
}

__all__ = [
    "AliasChange",
    "FileEntry",
    "Filesystem",
    "Manifest",
    "ModelError",
    "PushDestination",
    "PushedVersion",
    "alias_history",
    "hold_version",
    "is_held",
    "list_versions",
    "push_model",
    "read_aliases",
    "read_manifest",
    "remove_alias",
    "set_alias",
    "sweep_staging",
    "verify_manifest",
    "version_folders",
    "write_manifest",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
