"""Makes data/word_pairs from Django's and Wagtail's Ukrainian catalogues, and CLDR's Ukrainian names.

pip install babel==2.19.0
pip download --no-deps django==5.2.19 wagtail==8.0.1
for wheel in *.whl; do unzip -q $wheel -d catalogues; done
python data/make/word_pairs.py catalogues
"""

# ruff: noqa: RUF001
import csv
import gettext
import re
import sys
from pathlib import Path

from babel import Locale

# Resolution 55 of the Cabinet of Ministers of Ukraine, of 27 January 2010.
HARD = "а=a б=b в=v г=h ґ=g д=d е=e ж=zh з=z и=y і=i к=k л=l м=m н=n о=o п=p р=r с=s т=t у=u ф=f х=kh ц=ts"
HARD += " ч=ch ш=sh щ=shch"
LETTERS = dict(pair.split("=") for pair in HARD.split())
LETTERS |= {"ь": "", "'": ""}
AT_THE_START = dict(zip("єїйюя", ("ye", "yi", "y", "yu", "ya"), strict=True))
ELSEWHERE = dict(zip("єїйюя", ("ie", "i", "i", "iu", "ia"), strict=True))
LENGTHS = range(3, 17)


def romanized(word: str) -> str:
    """Return a word in Latin letters."""
    found = ""
    for place, letter in enumerate(word):
        soft = ELSEWHERE if place else AT_THE_START
        if letter == "г" and word[place - 1 : place] == "з":
            # Or it would look like "ж".
            found += "gh"
        else:
            found += soft[letter] if letter in soft else LETTERS[letter]
    return found


def main(root: Path, out: Path) -> None:
    """Write each word once, with its romanization."""
    ukrainian = Locale("uk")
    texts = [*ukrainian.languages.values(), *ukrainian.territories.values()]
    texts += [*ukrainian.currencies.values(), *ukrainian.scripts.values()]
    texts += [zone["city"] for zone in ukrainian.time_zones.values() if "city" in zone]
    for path in sorted(root.glob("**/locale/uk/LC_MESSAGES/django*.mo")):
        with path.open("rb") as file:
            texts += gettext.GNUTranslations(file)._catalog.values()
    words: set[str] = set()
    for text in texts:
        text = re.sub("[’ʼ`]", "'", re.sub(r"%\(\w+\)\w", " ", text.lower()))
        words |= set(re.findall(r"[а-щьюяєіїґ]+(?:'[а-щьюяєіїґ]+)*", text))
    out.mkdir(exist_ok=True)
    kept = sorted(word for word in words if len(word) in LENGTHS)
    for name, target in (("transliteration", romanized), ("reversal", lambda word: word[::-1])):
        with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["word", "target"])
            table.writerows([word, target(word)] for word in kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parents[1] / "word_pairs")
