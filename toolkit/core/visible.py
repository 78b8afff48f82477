"""Text that somebody else wrote, made safe to show: nothing in it commands a terminal or turns text around."""

from __future__ import annotations


def safe(text: str) -> str:
    """Give text in which every sign that is not seen is replaced by one that is; line breaks become spaces."""
    return text if text.isprintable() else "".join(each if each.isprintable() else _visible(each) for each in text)


def _visible(sign: str) -> str:
    return " " if sign.isspace() else "\N{REPLACEMENT CHARACTER}"
