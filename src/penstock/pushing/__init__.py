"""Pushing: models as versions in a folder or bucket, with manifests and aliases, for servers to load."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.pushing.aliases import (
        AliasChange,
        UnknownVersion,
        alias_history,
        earlier_versions,
        read_aliases,
        remove_alias,
        set_alias,
    )
    from penstock.pushing.answers import check_answers
    from penstock.pushing.destination import Filesystem, PushDestination
    from penstock.pushing.fetch import fetch_version
    from penstock.pushing.leases import hold_version, is_held
    from penstock.pushing.local_folder import sweep_staging
    from penstock.pushing.manifest import (
        FileEntry,
        Manifest,
        read_manifest,
        verify_manifest,
        write_manifest,
    )
    from penstock.pushing.own_destination import PushArgs
    from penstock.pushing.push import PushedVersion, push_model
    from penstock.pushing.retention import Retention, apply_retention
    from penstock.serving.saved_model import ModelError
    from penstock.serving.versions import list_versions, version_folders

_MODULE_OF = {
    "UnknownVersion": "aliases",
    "PushArgs": "own_destination",
    "AliasChange": "aliases",
    "FileEntry": "manifest",
    "Filesystem": "destination",
    "Manifest": "manifest",
    "ModelError": "penstock.serving.saved_model",
    "PushDestination": "destination",
    "PushedVersion": "push",
    "Retention": "retention",
    "alias_history": "aliases",
    "apply_retention": "retention",
    "check_answers": "answers",
    "earlier_versions": "aliases",
    "fetch_version": "fetch",
    "hold_version": "leases",
    "is_held": "leases",
    "list_versions": "penstock.serving.versions",
    "push_model": "push",
    "read_aliases": "aliases",
    "read_manifest": "manifest",
    "remove_alias": "aliases",
    "set_alias": "aliases",
    "sweep_staging": "local_folder",
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
    "PushArgs",
    "PushDestination",
    "PushedVersion",
    "Retention",
    "UnknownVersion",
    "alias_history",
    "apply_retention",
    "check_answers",
    "earlier_versions",
    "fetch_version",
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
