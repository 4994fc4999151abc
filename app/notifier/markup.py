"""What the channels understand: plain text, WeCom's few marks of Markdown, DingTalk's."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

_FIELD_CHARACTERS_MAX = 1_000  # of one annotation: a phone shows some 300 at once
_LINK_CHARACTERS_MAX = 1_000

_blank = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
# What could make a link, a mention or a colour out of a label's value. Not escaped but widened: WeCom knows no escapes.
_wide = str.maketrans("[]<>`", "［］＜＞｀")
_unsafe_in_link = str.maketrans({character: f"%{ord(character):02X}" for character in "()[]<>\"'`\\ |"})


def one_line(text: str) -> str:
    """Return `text` on one line, without invisible characters, and not longer than anybody reads."""
    text = _blank.sub(" ", text).strip()
    return text if len(text) <= _FIELD_CHARACTERS_MAX else text[: _FIELD_CHARACTERS_MAX - 1] + "…"


def _widened(text: str) -> str:
    return one_line(text).translate(_wide)


@dataclass(frozen=True, slots=True)
class Markup:
    """How a channel writes headings, fields and links."""

    heading: str
    field: str
    named_link: str
    between_links: str
    newline: str
    literal: Callable[[str], str]
    colours: tuple[str, str] = ("", "")

    def title(self, text: str, status: Literal["firing", "resolved"]) -> str:
        """Return a heading; `text` is literal already."""
        return self.heading.format(text=text, colour=self.colours[status == "resolved"])

    def named(self, name: str, value: str) -> str:
        """Return a line that gives `value`, which may be anything, its name."""
        return self.field.format(name=name, value=self.literal(value))

    def link(self, name: str, url: str) -> str | None:
        """Return a link; None when `url` is none that a phone should open."""
        if not url.startswith(("http://", "https://")) or len(url) > _LINK_CHARACTERS_MAX or _blank.search(url):
            return None
        return self.named_link.format(name=name, url=url.translate(_unsafe_in_link))


PLAIN = Markup(
    heading="{text}",
    field="{name}：{value}",
    named_link="{name}：{url}",
    between_links="\n",
    newline="\n",
    literal=one_line,
)
WECOM = Markup(
    heading='### <font color="{colour}">{text}</font>',
    field="**{name}**：{value}",
    named_link="[{name}]({url})",
    between_links=" · ",
    newline="\n",
    literal=_widened,
    colours=("warning", "info"),  # the vendor's names of orange and green
)
DINGTALK = Markup(
    heading="### {text}",
    field="**{name}**：{value}",
    named_link="[{name}]({url})",
    between_links=" · ",
    newline="  \n",  # one without the spaces is no line break there
    literal=_widened,
)
