"""Style sheets and icons without what no page of a book uses: with them as they come, a page would weigh double.

Originals stay where they are, since Sphinx compares them with its own when it builds the next time; pages are pointed
to copies beside them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path

import tinycss2

from memloc.publishing.chapters import write_text_whole

SHEETS = ("bootstrap.css", "pydata-sphinx-theme.css", "sphinx-design.min.css", "mystnb.*.css", "all.min.css")
WORD = re.compile(r"-?[A-Za-z_][\w-]*")
CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")
NEGATED = re.compile(r":not\([^()]*\)")
ICON = re.compile(r'content:\s*"(.)"')  # written out as the character itself when a sheet was parsed
FONT_FACE = re.compile(r"@font-face\{[^}]*\}")
ICONS = "fa-solid-900"
NESTING = ("media", "supports", "layer")


def words_used(html: Path) -> set[str]:
    """Every word of the pages and of their own scripts: whatever could be the name of a class."""
    found: set[str] = set()
    scripts = [path for path in (html / "_static").rglob("*.js") if not {"vendor", "mathjax"} & set(path.parts)]
    for path in [*html.rglob("*.html"), *scripts]:
        found.update(WORD.findall(path.read_text(encoding="utf-8")))
    return found


def lean_sheets(html: Path) -> dict[str, str]:
    """Write the lean copies.

    Returns:
        The name of each original to that of its copy, which lies in the same folder.
    """
    used, renamed = words_used(html), {}
    for pattern in SHEETS:
        for path in (html / "_static").rglob(pattern):
            if ".lean." in path.name:
                continue
            copy = path.with_name(f"{path.name.removesuffix('.css')}.lean.css")
            text = purge(path.read_text(encoding="utf-8"), used)
            write_text_whole(copy, _with_few_icons(text, path) if path.name == "all.min.css" else text)
            renamed[path.name] = copy.name
    return renamed


def purge(sheet: str, used: set[str]) -> str:
    """The style sheet without rules, and selectors of rules, that name a class nothing has."""
    rules = tinycss2.parse_stylesheet(sheet, skip_comments=False, skip_whitespace=True)
    return "".join(_kept(rules, used))


def _kept(rules: Iterable[tinycss2.ast.Node], used: set[str]) -> list[str]:
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            chosen = [s for s in _selectors(rule.prelude) if set(CLASS.findall(NEGATED.sub("", s))) <= used]
            if chosen:
                kept.append(f"{','.join(chosen)}{{{tinycss2.serialize(rule.content)}}}")
        elif rule.type == "at-rule" and rule.content is not None and rule.lower_at_keyword in NESTING:
            inside = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            if of_it := _kept(inside, used):
                kept.append(f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{''.join(of_it)}}}")
        elif rule.type != "comment" or rule.value.startswith("!"):  # licences stay
            kept.append(rule.serialize())
    return kept


def _selectors(prelude: list[tinycss2.ast.Node]) -> list[str]:
    """The selectors of a rule, at the commas that stand in no brackets."""
    parts: list[list[tinycss2.ast.Node]] = [[]]
    for token in prelude:
        if token.type == "literal" and token.value == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return [tinycss2.serialize(part).strip() for part in parts]


def _with_few_icons(sheet: str, path: Path) -> str:
    """The icons' style sheet, with a font that holds the icons it still names and no other font."""
    font = path.parent.parent / "webfonts" / f"{ICONS}.ttf"
    copy = font.with_name(f"{ICONS}.lean.woff")
    copy.write_bytes(subset(font, map(ord, ICON.findall(sheet))))
    face = '@font-face{{font-family:"Font Awesome 6 Free";font-weight:900;src:url(../webfonts/{})format("woff")}}'
    return FONT_FACE.sub("", sheet) + face.format(copy.name)


def subset(font: Path, code_points: Iterable[int]) -> bytes:
    """A WOFF of these characters of a font."""
    from fontTools import subset as tools
    from fontTools.ttLib import TTFont

    # without its own clock and layout tables the same icons give the same bytes
    options = tools.Options(flavor="woff", layout_features=[], hinting=False)
    buffer = io.BytesIO()
    with TTFont(font, recalcTimestamp=False) as loaded:
        chosen = tools.Subsetter(options)
        chosen.populate(unicodes=list(code_points))
        chosen.subset(loaded)
        loaded.flavor = "woff"
        loaded.save(buffer)
    return buffer.getvalue()
