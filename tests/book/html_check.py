"""Read built pages as a browser would find them: what they load, where they link, which images lack words."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup
from bs4.element import Tag

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


@dataclass(frozen=True)
class Trace:
    """A glued number of a page, and where its link leads.

    Attributes:
        text: the number as it is read.
        source: what the entry says that it was computed from; empty where the link leads nowhere.
        downloads: the files that are offered there.
    """

    text: str
    source: str
    downloads: list[Path]


def traces(path: Path) -> list[Trace]:
    """Every glued number of a page's text; words without a digit may lead nowhere and are left out then."""
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    found = []
    for pasted in soup.select(".pasted-text"):
        link, item = pasted.find_parent("a"), pasted.find_parent("li")
        if item is not None and item.select_one("[id^=number-]"):
            continue  # the entry itself
        if link is not None or any(character.isdigit() for character in pasted.get_text()):
            found.append(_trace(soup, path, pasted.get_text(), link))
    return found


def _trace(soup: BeautifulSoup, path: Path, text: str, link: Tag | None) -> Trace:
    entry = soup.find(id=str(link["href"]).lstrip("#")) if link is not None else None
    group = entry.find_parent("ul") if entry is not None else None
    said = []
    for before in group.find_previous_siblings() if group is not None else []:
        if before.name != "p" or not before.strong:
            break
        said.append(before)
    files = [path.parent / unquote(str(a["href"])) for line in said for a in line.select("a.download")]
    return Trace(text, " ".join(line.get_text() for line in said), files)


def untraced(root: Path) -> list[str]:
    """Glued numbers of all pages that lead to no source, or to a file that is not there, a line each."""
    found = []
    for path in sorted(root.rglob("*.html")):
        if "_static" not in path.parts:
            told = [t for t in traces(path) if not t.source or not all(file.is_file() for file in t.downloads)]
            found += [
                f"{path.relative_to(root).as_posix()}: number {trace.text!r} leads to no source" for trace in told
            ]
    return found
