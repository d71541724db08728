"""Rules for the pages as a browser shows them: on a phone, in both themes, by the keyboard.

A rule takes a visit to a page of the offline book and returns its complaints; what it asks the page
stands in browser_rules.js. Each is also seen to complain of a page that was broken on purpose.
"""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from tools.pages import chromium, contents, pdf

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "_build" / "offline"
QUESTIONS = (Path(__file__).parent / "browser_rules.js").read_text()
SCREENS = {
    "phone": {
        "viewport": {"width": 360, "height": 740},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
    "desktop": {"viewport": {"width": 1280, "height": 900}},
}
OUR_OWN = ("file:", "data:", "blob:")

pytestmark = pytest.mark.skipif(
    not BOOK.is_dir() or not chromium.find(), reason="run make check-browser, which says why"
)


class Visit:
    """A page, loaded once without a network, its cells unfolded, and what went wrong on the way."""

    def __init__(self, browser, name, screen):
        self.faults = []
        self.context = browser.new_context(offline=True, **SCREENS[screen])
        self.context.add_init_script(QUESTIONS)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(f"script error: {error}"))
        self.page.on("console", self.listen)
        self.page.on("request", self.watch)
        self.page.on("requestfailed", lambda request: self.faults.append(f"failed: {request.url}"))
        self.page.goto((BOOK / f"{name}.html").as_uri())
        self.ask("settled")
        if self.page.evaluate("typeof rnncells !== 'undefined'"):
            self.start_what_is_live()

    def start_what_is_live(self):
        """A live element begins when it comes near the screen: here before a rule looks at it."""
        for element in self.page.locator("[data-live]").all():
            element.scroll_into_view_if_needed()
            element.and_(self.page.locator("[data-started]")).wait_for(state="attached")
        self.page.evaluate("scrollTo(0, 0)")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def listen(self, message):
        if message.type == "error":
            self.faults.append(f"console: {message.text}")

    def watch(self, request):
        if not request.url.startswith(OUR_OWN):
            self.faults.append(f"asks the network: {request.url}")

    def ask(self, question):
        return self.page.evaluate(f"rules.{question}()")

    def theme(self, name):
        self.page.evaluate("name => { document.documentElement.dataset.theme = name }", name)


# On a phone.


def the_page_does_not_scroll_sideways(visit):
    return visit.ask("scrolling")


def nothing_leaves_the_screen(visit):
    """Unless it, or something around it, scrolls by itself."""
    return visit.ask("tooWide")


def text_is_large_enough(visit):
    """16 px in paragraphs, 12 px anywhere."""
    return visit.ask("tooSmall")


def nothing_is_cut_off(visit):
    return visit.ask("cutOff")


# On any screen.


def what_scrolls_can_be_focused(visit):
    return visit.ask("scrollers")


def mathematics_is_rendered(visit):
    return visit.ask("unrendered")


def nothing_fails(visit):
    """No script error, no failed request, and no request to a network."""
    visit.page.wait_for_timeout(50)
    return visit.faults


def the_page_says_what_it_is(visit):
    return visit.ask("unsaid")


def text_can_be_read(visit):
    """The contrast that WCAG 2 asks at level AA, in both themes."""
    complaints = []
    for theme in ("dark", "light"):
        visit.theme(theme)
        complaints += visit.ask("pale")
    return complaints


def figures_can_be_read_in_the_dark(visit):
    """What stands out from a figure's background in the light theme does so in the dark one.

    Not the still pictures of live elements: these give way to the elements themselves.
    """
    for figure in visit.page.locator("article img:not([data-live] *)").all():
        ink = {}
        for theme in ("dark", "light"):
            visit.theme(theme)
            ink[theme] = share_of_ink(figure.screenshot())
        if ink["light"] == 0 or ink["dark"] < 0.9 * ink["light"]:
            yield f"{figure.get_attribute('src')}: ink {ink['dark']:.3f} and {ink['light']:.3f}"


def share_of_ink(picture):
    """The share of the pixels with a contrast of 3 or more to the most frequent colour."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), dtype=int).reshape(-1, 3)
    packed, counts = np.unique(pixels @ [1 << 16, 1 << 8, 1], return_counts=True)
    colours = packed[:, None] >> [16, 8, 0] & 255
    value = colours / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    light = linear @ [0.2126, 0.7152, 0.0722] + 0.05
    contrast = np.maximum(light / light[counts.argmax()], light[counts.argmax()] / light)
    return counts[contrast >= 3].sum() / counts.sum()


def the_keyboard_reaches_everything(visit):
    """Each link, button, input and folded cell, in order, and it shows where it is."""
    # The table of contents opens as the page moves: there are more stops than at the start.
    for _ in range(visit.ask("watchFocus") + 40):
        visit.page.keyboard.press("Tab")
    return visit.ask("unreached")


RULES = {
    "phone": [
        the_page_does_not_scroll_sideways,
        nothing_leaves_the_screen,
        text_is_large_enough,
        nothing_is_cut_off,
        what_scrolls_can_be_focused,
        nothing_fails,
    ],
    "desktop": [
        mathematics_is_rendered,
        the_page_says_what_it_is,
        text_can_be_read,
        figures_can_be_read_in_the_dark,
        what_scrolls_can_be_focused,
        the_keyboard_reaches_everything,
        nothing_fails,
    ],
}


@pytest.fixture(scope="module")
def browser():
    with chromium.launched() as browser:
        yield browser


@pytest.mark.parametrize("screen", RULES)
@pytest.mark.parametrize("name", contents.files())
def test_page(browser, name, screen):
    with Visit(browser, name, screen) as visit:
        complaints = [f"{rule.__name__}: {c}" for rule in RULES[screen] for c in rule(visit)]
    assert complaints == []


# The book in one file.

A4_LESS_ITS_MARGINS = {"width": 642, "height": 960}


def the_file_is_whole(page, data):
    """Each chapter and its sections in the outline, links that lead somewhere, and enough pages."""
    parsed = BeautifulSoup(page, "html.parser")
    texts = re.findall(rb"/Title \((.*?)\)\n|/Title <(\w+)>", data)
    outline = {a.decode() or bytes.fromhex(b.decode()).decode("utf-16") for a, b in texts}
    for title in parsed.select("article h1, article h2"):
        if " ".join(title.get_text().split()) not in outline:
            yield f"not in the outline: {title.get_text()}"
    ids = {tag["id"] for tag in parsed.select("[id]")}
    for link in parsed.select('a[href]:not([href^="http"])'):
        if link["href"][:1] != "#" or link["href"][1:] not in ids:
            yield f"leads nowhere: {link['href']}"
    if len(re.findall(rb"/Type /Page\b", data)) < 5 * len(parsed.select("article")):
        yield "too few pages"


def test_the_pdf(browser, tmp_path):
    path = tmp_path / "book.pdf"
    with pdf.whole(BOOK) as page:
        pdf.print_page(browser, page, path)
        with Visit(browser, page.stem, "desktop") as visit:
            visit.page.set_viewport_size(A4_LESS_ITS_MARGINS)
            visit.page.emulate_media(media="print")
            rules = [mathematics_is_rendered, nothing_leaves_the_screen, nothing_is_cut_off]
            complaints = [f"{r.__name__}: {c}" for r in [*rules, nothing_fails] for c in r(visit)]
        page, data = page.read_text(), path.read_bytes()
    assert [*complaints, *the_file_is_whole(page, data)] == []
    # and of a broken one it is complained
    assert list(the_file_is_whole(page.replace("Bibliography", "Another title"), data))
    assert list(the_file_is_whole(page.replace('id="', 'id="another-'), data))
    assert list(the_file_is_whole(page, data.replace(b"/Type /Page\n", b"/Type /None\n")))


# Each rule complains of a page that was broken on purpose.

PAGE = "chapters/notation"


def add(html):
    return f"document.querySelector('article').insertAdjacentHTML('afterbegin', `{html}`)"


def style(css):
    return f"document.head.insertAdjacentHTML('beforeend', '<style>{css}</style>')"


LONG = "W" * 60
PICTURE = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><path d='M9 9h90v90z'/></svg>"

BROKEN = [
    (the_page_does_not_scroll_sideways, "phone", add("<div style='width: 500px'>x</div>")),
    (
        the_page_does_not_scroll_sideways,
        "phone",
        style("article p { white-space: nowrap }"),
    ),
    (nothing_leaves_the_screen, "phone", add(f"<p>{LONG}</p>")),
    (nothing_leaves_the_screen, "phone", add("<p style='margin-left: -20px'>x</p>")),
    (text_is_large_enough, "phone", add("<p style='font-size: 11px'>x</p>")),
    (text_is_large_enough, "phone", style(".bd-article section p { font-size: 15px }")),
    (nothing_is_cut_off, "phone", add(f"<p style='overflow: hidden'>{LONG}</p>")),
    (nothing_is_cut_off, "phone", add("<p style='overflow: hidden; height: 9px'>x</p>")),
    (what_scrolls_can_be_focused, "phone", add(f"<p style='overflow: auto'>{LONG}</p>")),
    (mathematics_is_rendered, "desktop", add("<span class='math'>x</span>")),
    (mathematics_is_rendered, "desktop", add("<p>as \\\\(x\\\\) says</p>")),
    (
        mathematics_is_rendered,
        "desktop",
        add("<p id='wrong' class='math'>\\\\[x \\\\nonsense y\\\\]</p>")
        + "; MathJax.typesetPromise(['#wrong'])",
    ),
    (
        mathematics_is_rendered,
        "desktop",
        add("<p id='wrong' class='math'>\\\\[x^2^3\\\\]</p>")
        + "; MathJax.typesetPromise(['#wrong'])",
    ),
    (the_page_says_what_it_is, "desktop", "document.title = 'A page'"),
    (the_page_says_what_it_is, "desktop", "document.documentElement.removeAttribute('lang')"),
    (the_page_says_what_it_is, "desktop", add("<main>x</main>")),
    (text_can_be_read, "desktop", add("<p style='color: #888'>x</p>")),
    (text_can_be_read, "desktop", add("<p style='opacity: 0.4'>x</p>")),
    (text_can_be_read, "desktop", add("<p style='color: black'>x</p>")),
    (
        figures_can_be_read_in_the_dark,
        "desktop",
        add(f'<img width="99" style="background: none" src="{PICTURE}">'),
    ),
    (
        the_keyboard_reaches_everything,
        "desktop",
        add("<a href='#' tabindex='0' onfocus='blur()'>x</a>"),
    ),
    (the_keyboard_reaches_everything, "desktop", add("<a href='#' tabindex='1'>x</a>")),
    (the_keyboard_reaches_everything, "desktop", style("* { outline: none !important }")),
    (the_keyboard_reaches_everything, "desktop", add("<a href='#' style='opacity: 0'>x</a>")),
    (nothing_fails, "desktop", "setTimeout(() => { throw new Error('on purpose') }); 0"),
    (nothing_fails, "desktop", "console.error('on purpose')"),
    (nothing_fails, "desktop", add("<img src='nothing.png'>")),
    (nothing_fails, "desktop", add("<img src='https://example.org/a.png'>")),
]


@pytest.mark.parametrize(("rule", "screen", "break_it"), BROKEN)
def test_rule_complains_of_a_broken_page(browser, rule, screen, break_it):
    with Visit(browser, PAGE, screen) as visit:
        visit.page.evaluate(break_it)
        assert list(rule(visit))


def test_every_rule_is_seen_to_complain():
    assert {rule for rule, *_ in BROKEN} == {rule for rules in RULES.values() for rule in rules}
