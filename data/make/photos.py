"""Makes the patches in data/photos from photographs of two wheels and a Debian package.

    pip download --no-deps scikit-image scikit-learn matplotlib && apt-get download lomiri-wallpapers-16.04
    python data/make/photos.py FOLDER data/photos       # FOLDER: what they unpack into, anywhere below

Needs Pillow and NumPy. A photograph is scaled to PIXELS, and cut into patches that do not overlap. So no
pixel of a test patch is in a training patch.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 64
PIXELS = 640 * 427
# Flat patches, such as a piece of the sky, could be of any photograph.
LEAST_CONTRAST = 9.0

# What the base is trained on, and the photographs that are told apart from a few labelled patches.
BASE = {
    "astronaut": "astronaut.png",
    "books": "Wine_by_Jakkub_Mede.jpg",
    "brushes": "Picture_1A_by_freespace.jpg",
    "dandelion": "seeding_by_Clements_Engelhardt.jpg",
    "dogs": "friends_by_Aitzol_Berasategi.jpg",
    "fig": "Picture_0B_by_freespace.jpg",
    "galaxies": "hubble_deep_field.jpg",
    "meadow": "aitzgorri_by_Aitzol_Berasategi.jpg",
    "officer": "grace_hopper.jpg",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
    "sunset": "sunset_by_Aitzol_Berasategi.jpg",
    "tissue": "ihc.png",
}
FEW = {
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "dahlia": "flower.jpg",
    "mountains": "picosdeeuropa_by_Aitzol_Berasategi.jpg",
    "pagoda": "china.jpg",
    "stream": "life_by_Aitzol_Berasategi.jpg",
}
BASE_SPLITS = {"train": 48, "eval": 8}
FEW_SPLITS = {"train": 3, "eval": 7, "test": 40}


def patches_of(path: Path) -> list[Image.Image]:
    """Return the patches of a photograph that show something."""
    photo = Image.open(path).convert("RGB")
    scale = (PIXELS / (photo.width * photo.height)) ** 0.5
    photo = photo.resize(
        (round(photo.width * scale), round(photo.height * scale)), Image.Resampling.LANCZOS
    )
    corners = [
        (left, top)
        for top in range(0, photo.height - SIZE + 1, SIZE)
        for left in range(0, photo.width - SIZE + 1, SIZE)
    ]
    cut = [photo.crop((left, top, left + SIZE, top + SIZE)) for left, top in corners]
    return [patch for patch in cut if np.std(np.asarray(patch.convert("L"))) >= LEAST_CONTRAST]


def main(folder: str, output: str) -> None:
    """Write OUTPUT/{base,few}/SPLIT/CLASS/NUMBER.jpg."""
    for part, photographs, splits in (("base", BASE, BASE_SPLITS), ("few", FEW, FEW_SPLITS)):
        for name, file in photographs.items():
            patches = patches_of(min(Path(folder).rglob(file)))
            random.Random(name).shuffle(patches)
            print(f"{part}/{name}: {len(patches)} patches")
            for split, count in splits.items():
                target = Path(output, part, split, name)
                target.mkdir(parents=True)
                for number, patch in enumerate(patches[:count]):
                    patch.save(target / f"{number:02d}.jpg", quality=82, optimize=True)
                del patches[:count]


if __name__ == "__main__":
    main(*sys.argv[1:])
