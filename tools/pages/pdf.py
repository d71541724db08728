"""Prints the whole book: the articles of an offline book on one page, and that page as a PDF.

    python -m tools.pages.pdf _build/offline _build/book.pdf

The pages are the ones that the tests look at, so numbers and outputs are theirs.
"""

import os
import re
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urldefrag

import yaml
from bs4 import BeautifulSoup

from tools.pages import contents
from tools.pages.chromium import launched

ROOT = Path(__file__).resolve().parents[2]

FRAME = """<!DOCTYPE html>
<html lang="en" data-theme="light">
<head><meta charset="utf-8"><title>{title}</title>{head}<style>{style}</style></head>
<body>
<header><p class="title">{title}</p><p>{author}</p><p>{year}</p></header>
<main>{articles}</main>
</body>
</html>
"""
# Each chapter begins a page; nothing that is looked at as one thing is cut; long lines wrap.
STYLE = """
@page {
  size: A4; margin: 20mm 20mm 22mm;
  @bottom-center { content: counter(page); font: 9pt sans-serif; }
}
@page :first { @bottom-center { content: none; } }
html { font-size: 14px; }
header { height: 235mm; padding-top: 70mm; text-align: center; }
header .title { font-size: 3rem; }
article { break-before: page; }
h1, h2, h3, h4 { break-after: avoid; padding-top: 6px; white-space: pre-wrap; }
h2 { font-size: 1.5rem !important; }
h3 { font-size: 1.25rem !important; }
.cell_input + .cell_output { break-before: avoid; }
figure, img, svg, table, tr, li, .math { break-inside: avoid; }
img { max-height: 160mm; object-fit: contain; }
p, li, pre { orphans: 3; widows: 3; }
.bd-article pre, .bd-article pre span { white-space: pre-wrap !important; overflow-wrap: anywhere; }
.bd-article div.highlight pre { font-size: 9.6px; }
.bd-article table { display: table; }
.bd-article :is(table, div, span, pre, mjx-container) { overflow: visible !important; }
.bd-article td { overflow-wrap: anywhere; }
details > summary { display: none !important; }
"""
LEFT_OUT = ".headerlink, script, button, .copybtn"


def main():
    book, pdf = (Path(argument).resolve() for argument in sys.argv[1:])
    with whole(book) as page, launched() as browser:
        print_page(browser, page, pdf)


@contextmanager
def whole(book):
    """The path of the one page, beside the pages it is made of for as long as it is needed."""
    with tempfile.NamedTemporaryFile("w", dir=book, suffix=".html", encoding="utf-8") as page:
        page.write(one_page(book))
        page.flush()
        yield Path(page.name)


def one_page(book):
    """Every article of the book, its addresses pointing into the same page."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    files = contents.files()
    pages = {f: BeautifulSoup((book / f"{f}.html").read_text(), "html.parser") for f in files}
    return FRAME.format(
        title=config["title"],
        author=config["author"],
        year=config["copyright"],
        head=head(pages[files[1]], files[1]),
        style=STYLE,
        articles="".join(str(article(page, file, files)) for file, page in pages.items()),
    )


def head(page, file):
    """The styles, and MathJax with its settings."""
    for tag, attribute in [("link", "href"), ("script", "src")]:
        for part in page.select(f"{tag}[{attribute}]"):
            part[attribute] = beside(part[attribute], file)
    parts = page.select('head link[rel="stylesheet"], head script[src$="mathjax.js"]')
    settings = [s for s in page.select("head script") if "window.MathJax" in (s.string or "")]
    return "".join(map(str, settings + parts))


def article(page, file, files):
    content = page.select_one("article.bd-article")
    for part in content.select(LEFT_OUT):
        part.decompose()
    for part in content.select("details"):
        part["open"] = ""
    for part in content.select("[id]"):
        part["id"] = anchor(file, part["id"])
    for part in content.select('img[src]:not([src^="data:"])'):
        part["src"] = beside(part["src"], file)
    for part in content.select("a[href]"):
        part["href"] = inside(part["href"], file, files)
    content["id"] = anchor(file)
    return content


def anchor(file, fragment=""):
    """An identifier that no two pages share."""
    return re.sub(r"\W", "-", file) + (f"--{fragment}" if fragment else "")


def beside(address, file):
    return os.path.normpath(os.path.join(os.path.dirname(file), address.split("?")[0]))


def inside(address, file, files):
    """Where a link of `file` leads on the one page; an address on the web stays as it is."""
    if re.match(r"\w+:", address):
        return address
    path, fragment = urldefrag(address)
    target = beside(path, file).removesuffix(".html") if path else file
    return "#" + anchor(target, fragment) if target in files else address


def print_page(browser, path, pdf):
    page = browser.new_page()
    page.goto(path.as_uri())
    page.evaluate("async () => { await MathJax.startup.promise }")
    page.pdf(path=pdf, prefer_css_page_size=True, print_background=True, tagged=True, outline=True)


if __name__ == "__main__":
    main()
