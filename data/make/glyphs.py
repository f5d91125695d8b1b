"""Makes data/glyphs/glyphs.parquet from the fonts of Debian packages.

    cd fonts && apt-get download PACKAGE...         # those of data/README.md
    for file in *.deb; do dpkg-deb -x $file ${file%%_*}; done
    python data/make/glyphs.py fonts data/glyphs/glyphs.parquet

Needs Pillow, fontTools and pyarrow. At most three upright fonts of each package are taken: the
lightest, the regular one and the boldest.
"""

from __future__ import annotations

import io
import string
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

CHARACTERS = string.ascii_letters + string.digits
SIZE = 24
# Pixels of an em: a glyph is drawn so large, cut out, and scaled to SIZE with its proportions.
EM = 160


def family_and_weight(path: Path) -> tuple[str, int] | None:
    """Return the family and the weight (100 to 900) of an upright font; None for what is not one."""
    with TTFont(path, lazy=True) as font:
        characters = {*map(ord, CHARACTERS)}
        if font["post"].italicAngle or "fvar" in font or not characters <= {*font.getBestCmap()}:
            return None
        family = font["name"].getDebugName(16) or font["name"].getDebugName(1)
        weight = font["OS/2"].usWeightClass
    other = ("Italic", "Condensed", "SC", "Keyboard", "Math")
    return None if any(word in path.stem for word in other) else (family, weight)


def rows_of(path: Path, family: str, weight: int) -> list[dict]:
    """Return a row for each character."""
    font = ImageFont.truetype(str(path), EM)
    rows = []
    for character in CHARACTERS:
        left, top, right, bottom = font.getbbox(character, anchor="ls")
        width, height = right - left, bottom - top
        drawn = Image.new("L", (width, height))
        ImageDraw.Draw(drawn).text((-left, -top), character, font=font, fill=255, anchor="ls")
        scale = SIZE / max(width, height)
        small = drawn.resize(
            (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX
        )
        image = Image.new("L", (SIZE, SIZE))
        image.paste(small, ((SIZE - small.width) // 2, (SIZE - small.height) // 2))
        # 16 shades of grey are enough, and take half of the bytes.
        image = image.point([round(value / 17) * 17 for value in range(256)])
        png = io.BytesIO()
        image.save(png, "PNG", optimize=True)
        rows.append(
            {
                "image": png.getvalue(),
                "width": width / EM,
                "height": height / EM,
                "bottom": -bottom / EM,
                "advance": font.getlength(character) / EM,
                "character": character,
                "weight": float(weight),
                "family": family,
            }
        )
    return rows


def main(fonts: str, output: str) -> None:
    """Write the glyphs of the fonts in the folders of `fonts`, one folder a package."""
    rows = []
    packages = sorted(path for path in Path(fonts).iterdir() if path.is_dir())
    for package in packages:
        by_weight: dict[int, tuple[int, Path]] = {}
        for path in sorted(package.rglob("*.[ot]tf")):
            if found := family_and_weight(path):
                # The shortest name is the family itself; others are its Mono, Text and so on.
                this = (len(found[0]), path)
                by_weight[found[1]] = min(by_weight.get(found[1], this), this)
        regular = min(by_weight, key=lambda weight: abs(weight - 400))
        for weight in sorted({min(by_weight), regular, max(by_weight)}):
            path = by_weight[weight][1]
            rows += rows_of(path, package.name.removeprefix("fonts-"), weight)
            print(package.name, weight, path.name)
    pq.write_table(pa.Table.from_pylist(rows), output, compression="zstd", compression_level=19)
    print(len(rows), "glyphs of", len(packages), "packages")


if __name__ == "__main__":
    main(*sys.argv[1:])
