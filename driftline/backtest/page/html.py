"""Elements of the page; every text and attribute is escaped when they are written, so no name can become markup."""

import re
from xml.etree.ElementTree import Element, tostring

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_QUOTED = re.compile(r"(`[^`]+`)")

Content = Element | str | None


def element(tag: str, *content: Content, **attributes: str | float) -> Element:
    """Return ``<tag attributes>content</tag>``; None is left out.

    An attribute that Python cannot spell has underscores: ``class_``, ``stroke_width``, ``viewBox``.
    """
    made = Element(
        tag, {name.rstrip("_").replace("_", "-"): _value(attribute) for name, attribute in attributes.items()}
    )
    for item in content:
        if isinstance(item, str):
            if len(made):
                made[-1].tail = (made[-1].tail or "") + printable(item)
            else:
                made.text = (made.text or "") + printable(item)
        elif item is not None:
            made.append(item)
    return made


def sentence(text: str, tag: str = "span", **attributes: str | float) -> Element:
    """Return *text* with what stands in backticks as code."""
    parts = (element("code", part[1:-1]) if _QUOTED.fullmatch(part) else part for part in _QUOTED.split(text) if part)
    return element(tag, *parts, **attributes)


def printable(text: str) -> str:
    """Return *text* without what has no glyph or turns the direction of what follows."""
    return _UNPRINTABLE.sub("\ufffd", text)


def written(*elements: Element) -> str:
    """Return the elements as HTML."""
    return "\n".join(tostring(element, encoding="unicode", method="html") for element in elements)


def _value(value: str | float) -> str:
    return printable(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
