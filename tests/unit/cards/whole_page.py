"""Whether a page is whole HTML that fetches nothing."""

import html.parser
import re


class _Checker(html.parser.HTMLParser):
    """Fails for tags that are not closed and for anything that would be fetched."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        outside = [v for n, v in attrs if n in ("src", "href") and not (v or "").startswith("#")]
        assert outside == []
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def html_of(page):
    """Return a page's HTML, after checking it."""
    checker = _Checker()
    checker.feed(page.html)
    assert checker.open == []
    assert page.html.startswith("<!doctype html>")
    assert "http" not in re.sub(r"<title>.*?</title>", "", page.html)
    assert "@import" not in page.html
    assert "url(" not in page.html
    return page.html
