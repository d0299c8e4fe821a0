"""Links inside the documents lead somewhere, and every page can be reached from the two that a reader begins with."""

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [name for name in subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split() if (ROOT / name).exists()]


def links(text):
    """Targets of links to files: no addresses, no code."""
    text = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.S)
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"\w+:", target)]


def anchors(text):
    """The names that headings can be linked by."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def broken(name, text, root=ROOT):
    for target in links(text):
        path, _, anchor = target.partition("#")
        file = (root / name).parent / path if path else root / name
        if not file.exists():
            yield f"{name}: {target} leads nowhere"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
            yield f"{name}: {target} names no heading"


@pytest.mark.parametrize("name", PAGES)
def test_links_of_a_page_lead_somewhere(name):
    assert not list(broken(name, (ROOT / name).read_text()))


def test_every_page_can_be_reached():
    found, next_pages = set(), ["README.md", "docs/README.md"]
    while next_pages:
        name = next_pages.pop()
        found.add(name)
        for link in links((ROOT / name).read_text()):
            page = (ROOT / name).parent / link.split("#")[0]
            if page.suffix == ".md" and page.exists() and (inner := str(page.resolve().relative_to(ROOT))) not in found:
                next_pages.append(inner)
    lost = {name for name in PAGES if name.startswith("docs/") and not name.startswith("docs/decisions/")} - found
    assert not lost, "neither README.md nor docs/README.md leads to these"


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "b.md").write_text("# A heading: `code`, and more\n")
    good = "[x](b.md) [y](b.md#a-heading-code-and-more) [z](https://nowhere.example/x) `[no](link)`"
    assert not list(broken("a.md", good, tmp_path))
    assert list(broken("a.md", "[x](c.md) [y](b.md#other)", tmp_path)) == ["a.md: c.md leads nowhere", "a.md: b.md#other names no heading"]
