"""Makes data/languages from the translation catalogues of Django and Wagtail.

pip download --no-deps django==5.2.19 wagtail==8.0.1
for wheel in *.whl; do unzip -q $wheel -d catalogues; done
python data/make/languages.py catalogues
"""

import collections
import gettext
import re
import sys
from pathlib import Path

# English is what the catalogues translate.
LANGUAGES = ["ca", "cs", "da", "de", "en", "es", "fr", "gl"]
LANGUAGES += ["it", "nb", "nl", "pl", "pt", "sk", "sl", "sv"]
# Wagtail's names of folders, where they differ from Django's.
FOLDERS = {"pt": ("pt", "pt_PT"), "sk": ("sk", "sk_SK")}
LONGEST = 80
# Languages that a message must be left in.
FEWEST = 11
MARKUP = re.compile(r"%\(\w+\)[sdi]|%[sdi%]|{[\w.]*}|<[^>]*>|&\w+;")


def translations(root: Path, language: str) -> dict[str, str]:
    """Return the translations of a language by English message."""
    found: dict[str, str] = {}
    paths = [
        path
        for folder in FOLDERS.get(language, (language,))
        for path in root.glob(f"**/locale/{folder}/LC_MESSAGES/django*.mo")
    ]
    for path in sorted(paths):
        with path.open("rb") as file:
            entries = gettext.GNUTranslations(file)._catalog
        for key, text in entries.items():
            # Of the plurals' forms the first.
            message, number = key if isinstance(key, tuple) else (key, 0)
            if message and number == 0 and text:
                found.setdefault(message.partition("\x04")[2] or message, text)
    return found


def clean(text: str) -> str:
    """Return a text on one line without placeholders and markup."""
    return re.sub(r"\s+", " ", MARKUP.sub(" ", text)).strip()


def main(root: Path, out: Path) -> None:
    """Write one file a language; a line is the same message in each of them, or empty."""
    by_language = {
        language: translations(root, language) for language in LANGUAGES if language != "en"
    }
    messages = sorted(set().union(*by_language.values()))
    by_language["en"] = {message: message for message in messages}
    texts = {
        language: {message: clean(found.get(message, "")) for message in messages}
        for language, found in by_language.items()
    }
    # What is the same in two languages tells nothing about either.
    spread = collections.Counter(
        text.casefold() for found in texts.values() for text in set(found.values())
    )
    for found in texts.values():
        seen = set()
        for message, text in found.items():
            known = text.casefold()
            letters = sum(map(str.isalpha, text))
            if spread[known] > 1 or known in seen or letters < 4 or len(text) > LONGEST:
                found[message] = ""
            seen.add(known)
    kept = [
        message
        for message in messages
        if sum(bool(found[message]) for found in texts.values()) >= FEWEST
    ]
    for language, found in texts.items():
        lines = "".join(f"{found[message]}\n" for message in kept)
        (out / f"{language}.txt").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parents[1] / "languages")
