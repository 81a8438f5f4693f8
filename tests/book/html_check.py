"""Read built pages as a browser would find them: what they load, where they link, which images lack words."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# attribute that makes a browser fetch something without being asked
LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
}
PASSIVE_LINKS = {"index", "search", "next", "prev", "canonical", "author", "top", "up"}


@dataclass
class Page(HTMLParser):
    """One parsed page."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    wordless: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def __hash__(self) -> int:
        return hash(self.path)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids.update(found[name] for name in ("id", "name") if name in found and tag != "meta")
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and not PASSIVE_LINKS & set(found.get("rel", "").split()):
            self.loads.append(found.get("href", ""))
        if LOADS.get(tag) in found:
            self.loads.append(found[LOADS[tag]])
        if tag == "img" and not found.get("alt", "").strip():
            self.wordless.append(found.get("src", "?"))


@cache
def parse(path: Path) -> Page:
    """Parse a page once."""
    return Page(path)


def outside(address: str) -> bool:
    """Whether an address leads off the machine."""
    return urlsplit(address).scheme in ("http", "https") or address.startswith("//")


def broken(page: Page, address: str, root: Path) -> bool:
    """Whether an internal address leads to no file, out of the book, or to an anchor that is not there."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return False
    target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
    if not target.is_relative_to(root.resolve()) or not target.is_file():
        return True
    return bool(parts.fragment) and target.suffix == ".html" and unquote(parts.fragment) not in parse(target).ids


def faults(root: Path) -> list[str]:
    """Everything wrong with the built pages below a folder, a line each."""
    found = []
    for path in sorted(root.rglob("*.html")):
        if "_static" in path.parts:
            continue
        page = parse(path.resolve())
        name = path.relative_to(root).as_posix()
        found += [f"{name}: loads {address} from outside" for address in page.loads if outside(address)]
        addresses = [a for a in page.links + page.loads if a and not outside(a)]
        found += [f"{name}: broken link {a}" for a in dict.fromkeys(addresses) if broken(page, a, root)]
        found += [f"{name}: image {source} has no alt text" for source in page.wordless]
    return found
