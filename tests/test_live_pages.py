"""The live elements in a browser: each control pressed, and the numbers on the page compared.

The page is tests/live/scratch.html, opened from a file and without a network. test_live.py compares
the mathematics in Node.
"""

import base64
import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from test_live import (  # noqa: F401  (a fixture)
    KINDS,
    NAMES,
    case,
    digits,
    next_shares,
    shipped,
    written,
)

from experiments import live_weights
from rnncells import reference
from tools.pages import chromium

ROOT = Path(__file__).resolve().parent.parent
LIVE = ROOT / "site" / "live"
SCRATCH = ROOT / "tests" / "live" / "scratch.html"
AXE = ROOT / "_build" / "axe"
SCREENS = {
    "phone": {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True},
    "desktop": {"viewport": {"width": 1280, "height": 900}},
}
pytestmark = pytest.mark.skipif(bool(chromium.missing()), reason=str(chromium.missing()))


@pytest.fixture(scope="module")
def browser():
    with chromium.launched() as browser:
        yield browser


class Visit:
    def __init__(self, browser, screen="desktop", change=None, still=True):
        self.faults = []
        motion = "reduce" if still else "no-preference"
        self.context = browser.new_context(offline=True, reduced_motion=motion, **SCREENS[screen])
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self.watch)
        if change:
            file, old, new = change
            text = (LIVE / file).read_text()
            assert text.count(old) == 1, f"{file}: the line to break has changed: {old}"
            broken = text.replace(old, new)
            self.page.route(f"**/{file}", lambda route: route.fulfill(body=broken))
        self.page.goto(SCRATCH.as_uri())
        for element in self.page.locator("[data-live]").all():
            element.scroll_into_view_if_needed()
        self.page.wait_for_selector("[data-live]:not([data-started])", state="detached")

    def watch(self, request):
        if not request.url.startswith(("file:", "data:")):
            self.faults.append(f"asks the network: {request.url}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def thing(self, name, place=0):
        return self.page.locator(f"[data-live='{name}']").nth(place)


def slide(thing, name, value):
    slider = thing.get_by_label(name, exact=True)
    script = "(s, v) => { s.value = v; s.dispatchEvent(new Event('input')) }"
    slider.evaluate(script, value)


def sample(label):
    text = (LIVE / "samples.js").read_text()
    stored = json.loads(re.search(r"samples = (\{.*\});", text).group(1))
    pixels = np.frombuffer(base64.b64decode(stored["pictures"]), "uint8").reshape(-1, 1, 28, 28)
    return pixels[stored["labels"].index(label)] / 255


def shares_on_the_page(thing):
    """The shares by cell, as the table has them."""
    rows = thing.locator("tbody tr").filter(has=thing.page.locator("th"))
    table = {}
    for row in rows.all():
        texts = row.locator("th, td").all_text_contents()
        if len(texts) == 11:
            table[texts[0]] = [float(text) for text in texts[1:]]
    return table


def first_shares(thing):
    return next(iter(shares_on_the_page(thing).values()))


def shares(kind, picture, row, weights=None):
    scores = live_weights.read(kind, picture, weights or shipped(kind)[1])[1][0, row - 1]
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


# What each thing has to do. Each check is also seen to fail with something broken.


def the_reader_shows_the_numbers_of_python(visit):
    thing = visit.thing("reader", 1)
    for digit, row in ((3, 11), (8, 28)):
        thing.get_by_role("button", name=f"Take a {digit}").click()
        slide(thing, "Rows read", row)
        table = shares_on_the_page(thing)
        assert set(table) == {"LSTM", "simple cell"}
        for name, kind in (("LSTM", "lstm"), ("simple cell", "simple")):
            np.testing.assert_allclose(table[name], shares(kind, sample(digit), row), atol=6e-4)


def the_reader_changes_its_cells(visit):
    thing = visit.thing("reader", 0)
    thing.get_by_role("button", name="Take a 5").click()
    thing.get_by_role("button", name="GRU").click()
    table = shares_on_the_page(thing)
    assert set(table) == {"LSTM", "GRU"}
    np.testing.assert_allclose(table["GRU"], shares("gru", sample(5), 28), atol=6e-4)
    thing.get_by_role("button", name="LSTM").click()
    assert set(shares_on_the_page(thing)) == {"GRU"}


def a_gate_is_held_and_a_row_forgotten(visit):
    thing = visit.thing("reader", 1)
    thing.get_by_role("button", name="Take a 2").click()
    thing.get_by_text("Do something to the cell").click()
    thing.get_by_label("Gate to hold").select_option("o")
    thing.get_by_label("Held how").select_option("0")
    bias = shipped("lstm")[1][4]  # h is zero: only the bias speaks
    powers = np.exp(bias - bias.max())
    np.testing.assert_allclose(shares_on_the_page(thing)["LSTM"], powers / powers.sum(), atol=6e-4)
    thing.get_by_label("Gate to hold").select_option("")
    thing.get_by_label("Forget everything").check()
    slide(thing, "at row", 20)
    expected = shares("simple", sample(2)[:, 20:], 8)
    np.testing.assert_allclose(shares_on_the_page(thing)["simple cell"], expected, atol=6e-4)


def a_finger_draws_and_the_cell_reads(visit):
    thing = visit.thing("reader", 0)
    paper = thing.get_by_role("application")
    paper.scroll_into_view_if_needed()
    box = paper.bounding_box()
    before = visit.page.evaluate("scrollY")
    mouse = visit.page.mouse
    for n, (x, y) in enumerate([(0.5, 0.15), (0.5, 0.5), (0.5, 0.85)]):
        mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if n == 0:
            mouse.down()
    mouse.up()
    visit.page.wait_for_timeout(100)
    assert visit.page.evaluate("scrollY") == before
    assert paper.evaluate("c => getComputedStyle(c).touchAction") == "none"
    assert int(np.argmax(first_shares(thing))) == 1


def the_keyboard_draws(visit):
    thing = visit.thing("reader", 0)
    thing.get_by_role("button", name="Take a 0").click()
    thing.get_by_role("application").focus()
    for key in [" ", *["ArrowDown"] * 15, " "]:
        visit.page.keyboard.press(key)
    visit.page.wait_for_timeout(100)
    assert int(np.argmax(first_shares(thing))) == 1


def the_tape_follows_its_marks(visit):
    thing = visit.thing("tape", 0)
    assert numbers(thing, "c") == [0, 1, 1, 1, 5, 5, 5, 5]  # as in chapter 5
    assert numbers(thing, "h") == [0, 0, 1, 0, 0, 0, 0, 5]
    thing.get_by_label("forget at step 5").click()
    assert numbers(thing, "c") == [0, 1, 1, 1, 6, 6, 6, 6]
    thing.get_by_label("show at step 1", exact=True).click()
    thing.get_by_label("write at step 1", exact=True).click()
    assert numbers(thing, "h")[0] == 3
    thing.get_by_label("number at step 1").fill("7")
    assert numbers(thing, "h")[0] == 7
    thing.get_by_role("button", name="No marks").click()
    assert numbers(thing, "c") == [0] * 8


def the_grus_tape_follows_its_marks(visit):
    thing = visit.thing("tape", 1)
    thing.get_by_role("button", name="No marks").click()
    assert numbers(thing, "h") == np.cumsum([3, 1, 4, 1, 5, 9, 2, 6]).tolist()
    assert "Solved" in thing.inner_text()
    thing.get_by_label("keep at step 2").click()
    assert numbers(thing, "h")[:3] == [3, 3, 7]
    thing.get_by_label("reset at step 3").click()
    assert numbers(thing, "h")[:3] == [3, 3, 4]


def numbers(thing, name):
    text = thing.locator(".live-status").text_content()
    return [float(v.replace("−", "-")) for v in re.search(rf"{name}: ([^.]*)\.", text)[1].split()]


def one_step_steps(visit):
    thing = visit.thing("one-step")
    for _ in range(4):
        thing.get_by_role("button", name="One step").click()
    assert thing.locator(".live-status").text_content().endswith("= [0, 4]")
    thing.get_by_role("button", name="Read backwards").click()
    x, W, U = np.eye(3), np.array([[1, 0], [0, 1], [1, -1]]), np.array([[0, 1], [1, 0]])
    h = np.zeros(2)
    for row in [[1, 1, 0], *x[::-1]]:
        h = np.array(row) @ W + h @ U
    end = f"= [{h[0]:.0f}, {h[1]:.0f}]".replace("-", "−")
    assert thing.locator(".live-status").text_content().endswith(end)
    thing.get_by_label("U, row 1, column 1").fill("1")
    assert not thing.locator(".live-status").text_content().endswith(end)
    thing.get_by_role("button", name="Undo").click()
    assert thing.locator("tr.now th").text_content() == "x₂"


def eigenvalues_are_dragged(visit):
    thing = visit.thing("eigenvalues")
    slide(thing, "Radius", 0.8)
    slide(thing, "Angle", 30)
    assert "0.8" in thing.locator(".live-value").first.text_content()
    assert f"{0.8**27:.1e}".replace("e-0", "e−") in thing.locator(".live-status").text_content()
    states = visit.page.evaluate("rnncells.orbit(rnncells.rotation(0.8, Math.PI / 6), 28)")
    U = 0.8 * np.array([[np.cos(np.pi / 6), 0.5], [-0.5, np.cos(np.pi / 6)]])
    np.testing.assert_allclose(
        states, [np.linalg.matrix_power(U, t)[0] for t in range(28)], atol=1e-9
    )
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(U)), 0.8)
    plane = thing.locator("svg").first
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    middle = box["y"] + box["height"] * 120 / 220
    visit.page.mouse.click(box["x"] + box["width"] / 2 + 1, middle)
    assert "Radius 0.0" in thing.locator(".live-status").text_content()


def the_reach_is_that_of_python(visit):
    thing = visit.thing("reach")
    thing.get_by_role("button", name="Take a 4").click()
    slide(thing, "Spectral radius", 1.25)
    said = thing.locator(".live-status").text_content()
    text = (LIVE / "untrained.js").read_text()
    stored = json.loads(re.search(r"untrained = (\{.*\});", text).group(1))
    W, Q, score = (
        np.frombuffer(base64.b64decode(stored[name]), "<i2") / stored["unit"]
        for name in ("kernel", "orthogonal", "score")
    )
    weights = [W.reshape(28, 64), 1.25 * Q.reshape(64, 64), np.zeros(64)]
    _, _, tape = reference.forward(reference.simple_step, sample(4), [np.zeros((1, 64))], weights)
    d, norms = [score[None]], [np.linalg.norm(score)]
    for saved in reversed(tape):
        _, d, _ = reference.simple_step_back(d, saved, weights)
        norms.append(np.linalg.norm(d[0]))
    norm = dict(zip(range(27, -2, -1), np.array(norms) / norms[0], strict=True))
    for row in (20, 10, 0):
        assert f"at row {row} {norm[row]:.2f}" in said, (said, norm[row])


def a_bet_is_answered_once(visit):
    thing = visit.thing("bet")
    thing.get_by_role("button", name="About 0.95").click()
    thing.get_by_role("button", name="About 0.70").click(force=True)
    said = thing.get_by_role("status").text_content()
    assert said.startswith("Too high") and "Right: it is as good" in said and "Too low" not in said
    assert thing.locator("[data-state=right]").text_content() == "✓ About 0.82"
    assert thing.locator("[data-state=wrong]").text_content() == "✗ About 0.95"


def letters_show_the_numbers_of_python(visit):
    thing = visit.thing("letters")
    thing.get_by_label("The beginning of a name").fill("Mary")
    (shares,) = next_shares(["mary"])
    table = [float(text) for text in thing.locator("tbody td").all_text_contents()]
    np.testing.assert_allclose(table, [*shares[4][1:], shares[4][0]], atol=6e-5)
    heights = thing.locator(".bars > div").evaluate_all(
        "all => all.map(({ firstChild: track }) =>"
        " track.querySelector('.bar').offsetHeight / track.offsetHeight)"
    )
    np.testing.assert_allclose(heights, table, atol=0.02)  # whole pixels
    had = [shares[k]["abcdefghijklmnopqrstuvwxyz".index(c) + 1] for k, c in enumerate("mary")]
    tiles = thing.locator(".spelled li").all_text_contents()
    assert tiles == [*(f"{c}{100 * p:.0f} %" for c, p in zip("mary", had, strict=True)), "?next"]
    bits = np.log2(had).sum()
    said = thing.locator(".live-status").text_content()
    assert f"probability: −{-bits:.1f} bits, {-bits / 4:.1f} bits per letter." in said
    names = ["end", *"abcdefghijklmnopqrstuvwxyz"]
    likely = [f"{names[k]} {100 * shares[4][k]:.0f} %" for k in np.argsort(-shares[4])[:3]]
    assert said.startswith(f"Next after “mary”: {', '.join(likely)}.")


def what_cannot_be_read_is_said(visit):
    thing = visit.thing("letters")
    start = thing.get_by_label("The beginning of a name")
    for text, sentence in {
        "José": "This network reads the letters a to z only: “é” is none of them.",
        "anna maria": "This network reads the letters a to z only: a space is none of them.",
        "a" * 14: "This network knows names of at most 13 letters: these are 14.",
    }.items():
        start.fill(text)
        slide(thing, "Temperature", 0.5)
        assert thing.locator(".live-status").text_content() == sentence
        assert start.get_attribute("aria-invalid") == "true"
        assert thing.get_by_role("button", name="Write a name").is_disabled()
        assert thing.locator("[inert]").count() == 3  # tiles, bars, numbers: of another name
    start.fill("")
    assert thing.locator(".live-status").text_content().startswith("First: s ")
    assert start.get_attribute("aria-invalid") == "false"
    assert thing.locator("[inert]").count() == 0


def a_name_is_written(visit):
    thing = visit.thing("letters")
    thing.get_by_label("The beginning of a name").fill("ric")
    for temperature, u, how in ((0.3, 0.7, "button"), (1.5, 0.4, "key")):
        slide(thing, "Temperature", temperature)
        visit.page.evaluate(f"Math.random = () => {u}")
        if how == "button":
            thing.get_by_role("button", name="Write a name").click()
        else:
            thing.get_by_label("The beginning of a name").press("Enter")
        expected = written("ric", temperature, [u] * 15)
        assert expected["ended"] and expected["name"] != "ric"
        said = thing.locator(".live-status").text_content()
        assert said.startswith(f"“{expected['name']}” is written.")
        tiles = thing.locator(".spelled b").all_text_contents()
        assert tiles == [*expected["name"], "end"]
        assert expected["name"] in thing.locator(".names").text_content()


CHECKS = {
    the_reader_shows_the_numbers_of_python: ("reader.js", "shares[count - 1],", "shares[27],"),
    the_reader_changes_its_cells: ("reader.js", "arrange(kinds);\n      });", "});"),
    a_gate_is_held_and_a_row_forgotten: (
        "reader.js",
        'value.addEventListener("change", hold)',
        "",
    ),
    a_finger_draws_and_the_cell_reads: ("reader.js", "if (!canvas.has", "if (canvas.has"),
    the_keyboard_draws: ("reader.js", "pen.down = !pen.down", "pen.down = false"),
    the_tape_follows_its_marks: ("tape.js", "1 - Number(forget)", "1"),
    the_grus_tape_follows_its_marks: ("tape.js", "1 - Number(reset)", "1"),
    one_step_steps: ("one-step.js", "count -= 1;", ""),
    eigenvalues_are_dragged: ("eigenvalues.js", "radius = v;", ""),
    the_reach_is_that_of_python: ("reach.js", "radius * q", "q"),
    a_bet_is_answered_once: ("bet.js", "if (element.dataset.chosen) return;", ""),
    letters_show_the_numbers_of_python: ("letters.js", "softmax(after[k])", "softmax(after[0])"),
    what_cannot_be_read_is_said: ("letters.js", "[^a-z]", "[^a-zé]"),
    a_name_is_written: ("letters.js", "temperature = value;", ""),
}


@pytest.mark.parametrize("screen", SCREENS)
def test_things(browser, screen):
    with Visit(browser, screen) as visit:
        for check in CHECKS:
            check(visit)
        assert visit.faults == []


def test_every_check_is_seen_to_fail(browser):
    for check, change in CHECKS.items():
        with Visit(browser, change=change) as visit:
            visit.page.set_default_timeout(2000)
            try:
                check(visit)
            except AssertionError:
                continue
        pytest.fail(f"{check.__name__} passes with {change[0]} broken")


# For everyone.


def axe():
    script = AXE / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        options = "--ignore-scripts --no-save --no-package-lock --no-audit --no-fund --silent"
        command = [shutil.which("npm"), "install", "axe-core@4.10.3", "--prefix", AXE]
        subprocess.run([*command, *options.split()], check=True)
    return script.read_text()


@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_that_axe_finds(browser, screen):
    with Visit(browser, screen) as visit:
        visit.page.evaluate(axe())
        for theme in ("light", "dark"):
            visit.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            for fold in visit.page.locator("details").all():
                fold.evaluate("fold => { fold.open = true }")
            found = visit.page.evaluate("axe.run('[data-live]')")["violations"]
            complaints = [f"{v['id']}: {n['html'][:200]}" for v in found for n in v["nodes"]]
            assert complaints == [], theme
        wide = visit.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0


def test_it_plays_unless_motion_is_unwanted(browser):
    with Visit(browser, still=False) as visit:
        thing = visit.thing("reader")
        thing.get_by_role("button", name="Take a 7").click()
        assert thing.get_by_role("button", name="Pause").count() == 1
        thing.get_by_role("button", name="Pause").click()
        row = int(thing.locator(".live-value").first.text_content())
        visit.page.wait_for_timeout(300)
        assert int(thing.locator(".live-value").first.text_content()) == row < 28
        thing = visit.thing("letters")
        thing.get_by_role("button", name="Write a name").click()
        assert thing.locator(".spelled .written").count() == 0
        thing.locator(".spelled .written").first.wait_for()
    with Visit(browser, still=True) as visit:
        thing = visit.thing("reader")
        thing.get_by_role("button", name="Take a 7").click()
        assert thing.locator(".live-value").first.text_content() == "28"


def test_a_screen_reader_is_told(browser):
    with Visit(browser) as visit:
        thing = visit.thing("reader")
        thing.get_by_role("button", name="Take a 7").click()
        visit.page.wait_for_timeout(700)
        assert "LSTM: 7" in thing.get_by_role("status").text_content()


# The mathematics in the browser, and what it weighs.


def test_a_thousand_digits_in_the_browser(browser, digits, tmp_path):  # noqa: F811
    with Visit(browser) as visit:
        visit.page.add_script_tag(path=ROOT / "tests" / "live" / "compare.js")
        visit.page.set_content('<input type="file" multiple>')
        visit.page.add_script_tag(path=LIVE / "cells.js")
        visit.page.add_script_tag(path=ROOT / "tests" / "live" / "compare.js")
        for kind in KINDS:
            one = case(kind, shipped(kind)[1], digits[0][:1000], tmp_path)
            visit.page.set_input_files("input", [one["given"], one["expected"]])
            found = visit.page.evaluate(
                """async ({ cell, count }) => {
                  const files = [...document.querySelector("input").files];
                  const [given, expected] = await Promise.all(
                    files.map(async (file) => new Float64Array(await file.arrayBuffer())));
                  return compare(rnncells, cell, count, given, expected);
                }""",
                {"cell": one["cell"], "count": one["count"]},
            )
            assert set(found) == NAMES[kind]
            assert max(found.values()) <= 1e-6, found


def test_what_a_page_loads_is_small():
    sizes = {
        f.name: len(gzip.compress(f.read_bytes())) for f in LIVE.iterdir() if f.suffix != ".json"
    }
    assert sum(sizes.values()) <= 200_000, sizes
