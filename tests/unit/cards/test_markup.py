from penstock.cards.markup import Markup, join, tag


def test_text_and_attributes_are_escaped():
    assert tag("p", "a < b & c", title='"x"') == '<p title="&quot;x&quot;">a &lt; b &amp; c</p>'


def test_markup_and_lists_stay_as_they_are():
    inner = tag("b", 1)
    assert tag("p", [inner, None, " and ", [inner]]) == "<p><b>1</b> and <b>1</b></p>"
    assert join(["<", Markup("<br/>")]) == "&lt;<br/>"


def test_attributes_are_named_as_in_html():
    assert tag("line", x1=1.5, class_="a", text_anchor="end", hidden=None) == (
        '<line x1="1.5" class="a" text-anchor="end"/>'
    )
    assert tag("details", open=True) == "<details open></details>"
