"""Rules for the built pages: what a reader meets, and what Sphinx does not warn of.

A rule takes all pages by their path and returns its complaints. Each is also seen to complain of
pages that were broken on purpose.
"""

import copy
import functools
import inspect
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup

import rnncells
from tools.pages import contents
from tools.release import address as tool

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
ADDRESS = tool.values(tool.current())  # empty strings, until the book has one
OUR_ADDRESSES = tuple(filter(None, (ADDRESS[key] for key in ("address", "pages", "colab"))))

pytestmark = pytest.mark.skipif(not HTML.is_dir(), reason="the book is not built: run make book")


def article(page):
    return page.select_one("article.bd-article") or BeautifulSoup("", "html.parser")


def articles(pages):
    return {name: article(pages[name]) for name in pages if name[:-5] in contents.files()}


def words(text):
    """The text on one line, with plain apostrophes: Sphinx sets curly ones."""
    return " ".join(text.replace("’", "'").split())


def every_page_is_there(pages):
    for file in contents.files():
        if not article(pages.get(f"{file}.html", BeautifulSoup("", "html.parser"))).get_text():
            yield f"{file}: no page"


def images_have_alt_text(pages):
    for name, content in articles(pages).items():
        for image in content.select("img"):
            alt = image.get("alt", "").strip()
            if len(alt) < 20 or re.search(r"\.(png|svg|jpe?g)$", alt):
                yield f"{name}: {image.get('src')} has the alt text {alt!r}"


def headings_are_in_order(pages):
    for name, content in articles(pages).items():
        levels = [int(heading.name[1]) for heading in content.select("h1, h2, h3, h4, h5, h6")]
        skips = any(after > before + 1 for before, after in zip(levels, levels[1:], strict=False))
        if levels[:1] != [1] or levels.count(1) != 1 or skips:
            yield f"{name}: heading levels {levels}"


def links_lead_somewhere(pages):
    """Every address inside the book: the file is there, and so is the anchor."""
    anchors = {name: {tag["id"] for tag in page.find_all(id=True)} for name, page in pages.items()}
    for name, page in pages.items():
        for address in addresses(page):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            path = os.path.normpath(os.path.join(os.path.dirname(name), unquote(parts.path)))
            target = path if parts.path else name
            if not (HTML / target).exists():
                yield f"{name}: {address} leads nowhere"
            elif parts.fragment and target in anchors:
                if unquote(parts.fragment) not in anchors[target]:
                    yield f"{name}: {address} has no such anchor"


def links_lead_to_nobody_else(pages):
    """No repository, launch or issue button of another project."""
    foreign = re.compile(
        r"github|gitlab|colab\.|mybinder|jupyterhub|deepnote|executablebooks", re.I
    )
    for name, page in pages.items():
        for address in addresses(page):
            if foreign.search(urlsplit(address).netloc) and not address.startswith(OUR_ADDRESSES):
                yield f"{name}: {address}"


def colab_opens_each_notebook(pages):
    """Once the book has an address; until then there is no such button at all."""
    for file in contents.files():
        wanted = set()
        if ADDRESS["colab"] and (ROOT / f"{file}.ipynb").exists():
            wanted = {f"{ADDRESS['colab']}/{Path(file).name}.ipynb"}
        buttons = pages[f"{file}.html"].select(".article-header-buttons a[href*='colab.']")
        found = {button["href"] for button in buttons}
        if found != wanted:
            yield f"{file}: Colab opens {found}, not {wanted}"


def addresses(page):
    for attribute in ("href", "src", "action"):
        for tag in page.find_all(attrs={attribute: True}):
            if tag[attribute] not in ("", "#"):
                yield tag[attribute]


def outputs_are_shown(pages):
    for file in contents.files():
        path = ROOT / f"{file}.ipynb"
        if path.exists():
            shown = words(article(pages[f"{file}.html"]).get_text())
            for cell in nbformat.read(path, as_version=4).cells:
                for output in cell.get("outputs", []):
                    text = words(output.get("text", "") or output.get("evalue", ""))
                    if text not in shown:
                        yield f"{file}: not shown: {text[:60]}"


def nothing_went_wrong(pages):
    for name, content in articles(pages).items():
        for tag in content.select(".system-message, .problematic, .error-message"):
            yield f"{name}: {words(tag.get_text())[:60]}"
        if match := re.search(r"\b(WARNING|System Message)\b", content.get_text()):
            yield f"{name}: says {match[0]}"


def nothing_is_raw(pages):
    """MyST that was not understood stands in the text as it was typed."""
    raw = re.compile(r"\{[a-z]+(:[a-z]+)*\}`|:::|```|\]\([^)]*\)|\$\$")
    for name, content in articles(pages).items():
        for text in content.find_all(string=raw):
            if not text.find_parent(["pre", "code", "script"]):
                yield f"{name}: {words(text)[:60]}"


def reference_is_complete(pages):
    content = article(pages["chapters/api.html"])
    for name in rnncells.__all__:
        entry = content.find(id=f"rnncells.{name}")
        summary = inspect.getdoc(getattr(rnncells, name)).splitlines()[0].replace("`", "")
        if entry is None or summary not in words(entry.parent.get_text()):
            yield f"{name}: no entry that says: {summary}"


def what_is_abstract_is_marked(pages):
    content = article(pages["chapters/api.html"])
    for name in rnncells.__all__:
        for method, value in vars(getattr(rnncells, name)).items():
            entry = content.find(id=f"rnncells.{name}.{method}")
            marked = entry is not None and "abstract" in entry.get_text().split()
            if entry is not None and marked != getattr(value, "__isabstractmethod__", False):
                where = "on the page" if marked else "in the package"
                yield f"{name}.{method}: abstract {where} alone"


RULES = [
    every_page_is_there,
    images_have_alt_text,
    headings_are_in_order,
    links_lead_somewhere,
    links_lead_to_nobody_else,
    colab_opens_each_notebook,
    outputs_are_shown,
    nothing_went_wrong,
    nothing_is_raw,
    reference_is_complete,
    what_is_abstract_is_marked,
]


@pytest.fixture(scope="module")
def pages():
    return {
        path.relative_to(HTML).as_posix(): BeautifulSoup(path.read_text(), "html.parser")
        for path in sorted(HTML.rglob("*.html"))
        if not path.is_relative_to(HTML / "_static")
    }


@pytest.fixture(scope="module")
def complaints(pages):
    """What a rule says of the pages as they are; asked once."""
    return functools.cache(lambda rule: set(rule(pages)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_pages(complaints, rule):
    assert complaints(rule) == set()


# Each rule complains of a page that was broken on purpose.

GLOSSARY, API, CHAPTER = "chapters/glossary.html", "chapters/api.html", "chapters/01_one_step.html"


def add(html):
    return lambda page: article(page).append(BeautifulSoup(html, "html.parser"))


def add_button(address):
    button = f'<div class="article-header-buttons"><a href="{address}">Colab</a></div>'
    return lambda page: page.body.append(BeautifulSoup(button, "html.parser"))


def remove(selector):
    def change(page):
        for tag in page.select(selector):
            tag.decompose()

    return change


BROKEN = [
    (every_page_is_there, GLOSSARY, remove("article")),
    (images_have_alt_text, GLOSSARY, add('<img src="x.png">')),
    (images_have_alt_text, GLOSSARY, add('<img src="x.png" alt="a curve">')),
    (images_have_alt_text, GLOSSARY, add('<img src="x.png" alt="../_images/a_long_name.png">')),
    (headings_are_in_order, GLOSSARY, add("<h1>Again</h1>")),
    (headings_are_in_order, GLOSSARY, add("<h2>Two</h2><h4>Four</h4>")),
    (links_lead_somewhere, GLOSSARY, add('<a href="nowhere.html">x</a>')),
    (links_lead_somewhere, GLOSSARY, add('<a href="notation.html#nowhere">x</a>')),
    (links_lead_somewhere, GLOSSARY, add('<a href="#nowhere">x</a>')),
    (links_lead_somewhere, GLOSSARY, add('<img src="../_images/nothing.png">')),
    (links_lead_to_nobody_else, GLOSSARY, add('<a href="https://github.com/a/b/issues">x</a>')),
    (links_lead_to_nobody_else, GLOSSARY, add('<a href="https://colab.research.google.com">x</a>')),
    (colab_opens_each_notebook, CHAPTER, add_button(f"{tool.COLAB}/github/a/b/x.ipynb")),
    (outputs_are_shown, CHAPTER, remove(".cell_output")),
    (nothing_went_wrong, GLOSSARY, add('<div class="system-message">x</div>')),
    (nothing_went_wrong, GLOSSARY, add("<p>WARNING: x</p>")),
    (nothing_is_raw, GLOSSARY, add("<p>as {cite:p}`elman1990` says</p>")),
    (nothing_is_raw, GLOSSARY, add("<p>:::{note}</p>")),
    (nothing_is_raw, GLOSSARY, add("<p>[a](b.md)</p>")),
    (reference_is_complete, API, remove("dl.py")),
    (what_is_abstract_is_marked, API, remove("em.property")),
]


@pytest.mark.parametrize(("rule", "name", "break_it"), BROKEN)
def test_rule_complains_of_a_broken_page(pages, complaints, rule, name, break_it):
    broken = pages | {name: copy.copy(pages[name])}
    break_it(broken[name])
    assert set(rule(broken)) - complaints(rule)


def test_every_rule_is_seen_to_complain():
    assert {rule for rule, *_ in BROKEN} == set(RULES)
