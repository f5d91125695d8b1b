"""`penstock image`: build the image of a project, and pin its base image."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, key_value
from penstock.cli.errors import CommandError, UsageError

if TYPE_CHECKING:
    from penstock.image import ImageBuild


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "image",
        "Build the image that runs a project's nodes on a cluster. Its tag follows from its content:\n"
        "Dockerfile, files, build arguments, base image. What is built already is not built again. Only\n"
        "the image's name is printed to standard output. `lock` writes the base's digest to image.lock.",
        [
            "penstock image build --name registry.example.com/penguin --push",
            "penstock image build --name penguin --variant gpu      # cpu, gpu, tpu, slim",
            "penstock compile FILE --to kubeflow --image $(penstock image build --name penguin)",
            "penstock image build --name penguin --engine-option=--network=host",
            "penstock image lock",
        ],
    )
    parser.add_argument("action", choices=("build", "lock"), help="what to do")
    parser.add_argument("--name", metavar="NAME", help="the image's name, without a tag")
    parser.add_argument("--variant", metavar="NAME", default="", help="build argument VARIANT")
    parser.add_argument(
        "--build-arg",
        metavar="NAME=VALUE",
        type=key_value,
        action="append",
        default=[],
        help="a build argument, as EXTRAS=gcp,postgres; may be repeated",
    )
    parser.add_argument(
        "--base", metavar="IMAGE", help="the base image (default: the Dockerfile's)"
    )
    parser.add_argument("--file", metavar="PATH", default="Dockerfile", help="the Dockerfile")
    parser.add_argument("--folder", metavar="PATH", help="the project (default: the current one's)")
    parser.add_argument(
        "--engine",
        metavar="COMMAND",
        help="podman or docker, with its options (default: $PENSTOCK_CONTAINER_ENGINE, or what is there)",
    )
    parser.add_argument(
        "--engine-option",
        metavar="OPTION",
        action="append",
        default=[],
        help="a further option of the engine's `build`; may be repeated",
    )
    parser.add_argument("--push", action="store_true", help="push the image to its registry")
    parser.add_argument("--no-pull", action="store_true", help="lock: take the image that is here")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the engine's command, and build nothing"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Build, or lock."""
    from penstock.image import ImageBuild, ImageError, LockError
    from penstock.project_root import find_project_root

    _check(arguments)
    build = ImageBuild(
        folder=arguments.folder or str(find_project_root(os.getcwd())),
        name=arguments.name or "",
        variant=arguments.variant,
        arguments=dict(arguments.build_arg),
        dockerfile=arguments.file,
        base=arguments.base,
    )
    try:
        if arguments.action == "lock":
            return _lock(build, arguments)
        return _build(build, arguments)
    except (ImageError, LockError) as error:
        raise CommandError(str(error), exit_codes.FAILED) from None


def _check(arguments: argparse.Namespace) -> None:
    if arguments.action == "build":
        if not arguments.name:
            raise UsageError("penstock image build: missing: --name NAME, the image's name.")
        if arguments.no_pull:
            raise UsageError("penstock image build: --no-pull belongs to `penstock image lock`.")
        if ":" in arguments.name.rpartition("/")[2]:
            raise UsageError(
                "penstock image build: --name takes no tag; it follows from the content. "
                f"Received: {arguments.name!r}"
            )
        return
    for name in ("name", "variant", "build_arg", "push", "dry_run", "engine_option"):
        if getattr(arguments, name):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"penstock image lock: {option} belongs to `penstock image build`.")


def _build(build: ImageBuild, arguments: argparse.Namespace) -> int:
    from penstock.image.build import find_engine

    engine = find_engine(arguments.engine)
    if arguments.dry_run:
        print(shlex.join(build.command(engine, arguments.engine_option)))
        return exit_codes.OK
    if build.base_tag is not None and build.pinned_base is None:
        print(
            f"{build.base_tag} is not in image.lock: its content may change under the same tag. "
            "Pin it with: penstock image lock",
            file=sys.stderr,
        )
    if build.exists(engine):
        print("this content is built already", file=sys.stderr)
    else:
        build.run(engine, arguments.engine_option)
    if arguments.push:
        build.push(engine)
    print(build.reference)
    return exit_codes.OK


def _lock(build: ImageBuild, arguments: argparse.Namespace) -> int:
    from penstock.image import BaseLock
    from penstock.image.build import digest_of, find_engine

    tag = build.base_tag
    if tag is None:
        raise UsageError(
            f"penstock image lock: {build.dockerfile} has no line `ARG PYTHON_IMAGE=...`. "
            "Add it, or name the image: --base IMAGE."
        )
    digest = digest_of(find_engine(arguments.engine), tag, pull=not arguments.no_pull)
    path = BaseLock.read(build.folder).with_digest(tag, digest).write(build.folder)
    print(f"{tag} is {digest} now, in {path}")
    return exit_codes.OK
