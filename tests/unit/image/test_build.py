"""Tags by content, pinned bases, and an engine that writes down what it is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from penstock.cli import main
from penstock.image import BaseLock, ImageBuild, ImageError, LockError
from penstock.image.build import digest_of, find_engine

DIGEST = "sha256:" + "3f" * 32
TAG = "docker.io/library/python:3.11-slim"

# Keeps the images that it built, as names in a file; knows one base image.
ENGINE = f"""#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >> asked
case "$1 $2" in
  "image inspect")
    case "$*" in
      *RepoDigests*) echo '["docker.io/library/python@{DIGEST}"]'; exit 0 ;;
    esac
    grep -qxF "$3" built 2>/dev/null ;;
  build*)
    echo "STEP 1"; echo "$3" >> built
    if [ -e touch ]; then echo more >> "$(cat touch)"; fi
    [ ! -e broken ] ;;
  *) exit 0 ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[tool.penstock]\n")
    (folder / "Dockerfile").write_text(f"ARG PYTHON_IMAGE={TAG}\nFROM ${{PYTHON_IMAGE}}\n")
    (folder / "module.py").write_text("one\n")
    return folder


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an engine, which is named by the environment."""
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / "engine").write_text(ENGINE)
    (folder / "engine").chmod(0o755)
    monkeypatch.setenv("PENSTOCK_CONTAINER_ENGINE", str(folder / "engine"))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_the_tag_follows_from_the_content(project: Path) -> None:
    build = ImageBuild(str(project), "forest")
    first = build.reference
    assert first == ImageBuild(str(project), "forest").reference
    assert first.startswith("forest:")
    assert len(first) == len("forest:") + 12
    seen = {first}
    (project / "module.py").write_text("two\n")
    seen.add(build.reference)
    (project / "module.py").chmod(0o755)
    seen.add(build.reference)
    (project / "module.py").rename(project / "other.py")
    seen.add(build.reference)
    (project / "Dockerfile").write_text(f"ARG PYTHON_IMAGE={TAG}\nFROM ${{PYTHON_IMAGE}}\nUSER 1\n")
    seen.add(build.reference)
    BaseLock({TAG: DIGEST}).write(str(project))
    (project / ".dockerignore").write_text("image.lock\n")
    seen.add(build.reference)
    slim = ImageBuild(str(project), "forest", "slim")
    assert slim.reference.startswith("forest:slim-")
    seen.add(slim.reference.replace("slim-", ""))
    seen.add(ImageBuild(str(project), "forest", arguments={"EXTRAS": "s3"}).reference)
    assert len(seen) == 8
    # What is not sent does not count, nor where packages come from.
    index = {"PIP_INDEX_URL": "https://mirror.example.com"}
    assert ImageBuild(str(project), "forest", arguments=index).reference == build.reference
    before = build.reference
    (project / ".dockerignore").write_text("image.lock\n.dockerignore\nnotes\n")
    (project / "notes").write_text("")
    after = build.reference
    (project / "notes").write_text("more")
    assert build.reference == after != before


def test_the_base_is_taken_by_digest(project: Path) -> None:
    build = ImageBuild(str(project), "forest")
    assert build.build_arguments == {}
    BaseLock({TAG: DIGEST}).write(str(project))
    pinned = f"docker.io/library/python@{DIGEST}"
    assert build.build_arguments == {"PYTHON_IMAGE": pinned}
    other = ImageBuild(str(project), "forest", base="localhost:5000/python")
    assert other.build_arguments == {"PYTHON_IMAGE": "localhost:5000/python"}
    assert other.pinned_base is None
    lock = BaseLock({"localhost:5000/python": DIGEST})
    assert lock.pinned("localhost:5000/python") == f"localhost:5000/python@{DIGEST}"
    assert lock.pinned(pinned) == pinned


def test_a_damaged_lock_is_named_with_its_line(project: Path) -> None:
    (project / "image.lock").write_text(f"# digests\n{TAG} sha256:12\n")
    with pytest.raises(LockError, match=r"image\.lock:2: a line holds a tag and its digest"):
        BaseLock.read(str(project))
    with pytest.raises(LockError, match="'latest' is not a digest"):
        BaseLock({}).with_digest(TAG, "latest")


def test_building_once(
    project: Path, engine: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    words = ["image", "build", "--name", "registry:5000/forest", "--variant", "gpu", "--push"]
    assert main([*words, "--engine-option=--network=host"]) == 0
    printed = capfd.readouterr()
    reference = ImageBuild(str(project), "registry:5000/forest", "gpu").reference
    assert printed.out == f"{reference}\n"
    assert "STEP 1" in printed.err
    assert f"{TAG} is not in image.lock" in printed.err
    asked = (engine / "asked").read_text().splitlines()
    assert asked == [
        f"image inspect {reference}",
        f"build --tag {reference} --file {project}/Dockerfile --build-arg VARIANT=gpu "
        f"--network=host {project}",
        f"push {reference}",
    ]
    assert main(words[:-1]) == 0
    printed = capfd.readouterr()
    assert printed.out == f"{reference}\n"
    assert "this content is built already" in printed.err
    assert main([*words, "--dry-run"]) == 0
    assert capfd.readouterr().out.endswith(
        f"engine build --tag {reference} --file {project}/Dockerfile --build-arg VARIANT=gpu {project}\n"
    )


def test_what_changes_meanwhile_is_not_tagged(project: Path, engine: Path) -> None:
    (engine / "touch").write_text(str(project / "module.py"))
    build = ImageBuild(str(project), "forest")
    before = build.reference
    with pytest.raises(ImageError, match="changed while its image was built"):
        build.run(find_engine())
    assert (engine / "asked").read_text().splitlines()[-1] == f"rmi {before}"


def test_locking(
    project: Path, engine: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert main(["image", "lock"]) == 0
    assert capfd.readouterr().out == f"{TAG} is {DIGEST} now, in {project}/image.lock\n"
    assert BaseLock.read(str(project)).digests == {TAG: DIGEST}
    assert (engine / "asked").read_text().splitlines()[0] == f"pull {TAG}"
    assert main(["image", "build", "--name", "forest"]) == 0
    assert "image.lock" not in capfd.readouterr().err
    asked = (engine / "asked").read_text()
    assert f"--build-arg PYTHON_IMAGE=docker.io/library/python@{DIGEST}" in asked
    os.remove(engine / "asked")
    assert digest_of([str(engine / "engine")], TAG, pull=False) == DIGEST
    assert "pull" not in (engine / "asked").read_text()


def test_what_cannot_be(
    project: Path, engine: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)

    def fails(*words: str) -> str:
        assert main(["image", *words]) != 0
        return capfd.readouterr().err

    assert "missing: --name NAME" in fails("build")
    assert "--name takes no tag" in fails("build", "--name", "forest:1")
    assert "--no-pull belongs to `penstock image lock`" in fails(
        "build", "--name", "a", "--no-pull"
    )
    assert "--push belongs to `penstock image build`" in fails("lock", "--push")
    assert "There is no " in fails("build", "--name", "a", "--file", "Containerfile")
    (engine / "broken").touch()
    assert "The build failed; what it printed is above. Command: " in fails("build", "--name", "a")
    (project / "Dockerfile").write_text("FROM python\n")
    assert "has no line `ARG PYTHON_IMAGE=...`" in fails("lock")
    with pytest.raises(ImageError, match="no program 'nerdctl'"):
        find_engine("nerdctl")
    monkeypatch.delenv("PENSTOCK_CONTAINER_ENGINE")
    monkeypatch.setenv("PATH", str(project))
    with pytest.raises(ImageError, match="Neither podman nor docker"):
        find_engine()
