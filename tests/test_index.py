"""Rules for the index: each word leads to sections that are there and that speak of it.

A rule takes the text of the index and returns its complaints. Each is also seen to complain of an
index that was broken on purpose.
"""

import re
from collections import namedtuple
from functools import cache
from pathlib import Path

import nbformat
import pytest

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"
INDEX = (CHAPTERS / "book_index.md").read_text()

NOT_LOOKED_UP = ("Summary", "Exercises", "References", "Sources")  # headings of many chapters
# The titles themselves fill a line on a phone.
SHORT_TITLES = {"migration.ipynb": "Migration", "messages.md": "Messages"}
SMALL_WORDS = ("a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to")


# The index. An entry stands under its letter, as one of
# - **term** (`other name`): [label](file#anchor); [label](file#anchor)
# - **term**: see [term](#letter)

Entry = namedtuple("Entry", "letter term names links see")
ENTRY = re.compile(r"^- \*\*(.+?)\*\*(?: \((.+?)\))?:((?:.|\n  )+)", re.M)
LINK = re.compile(r"\[([^]]+)\]\(([^)#]*)#?([^)]*)\)")  # (text, file, anchor)


def letters(index):
    """The text below the heading of each letter."""
    parts = re.split(r"^## (.+)\n", index, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def entries(index):
    for letter, text in letters(index).items():
        for term, names, rest in ENTRY.findall(text):
            links, names = LINK.findall(rest), re.findall(r"`([^`]+)`", names)
            see = rest.startswith(" see ")
            yield Entry(letter, term, names, [] if see else links, links if see else [])


# The pages. A section goes from its heading to the next one of its level.

Section = namedtuple("Section", "level heading text")


def words(text):
    return re.sub(r"('s\b|[\W_])+", " ", text.lower()).strip()


def blocks(path):
    """(kind, text) of each cell of a notebook, with what it printed; a page is one cell."""
    if path.suffix == ".md":
        return [("markdown", path.read_text())]
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        outputs = cell.get("outputs", [])
        printed = [output.get("text", "") or output.get("evalue", "") for output in outputs]
        found.append((cell.cell_type, "\n".join([cell.source, *printed])))
    return found


def pieces(path):
    """The page cut at every heading. In a fence, a line that begins with # is none."""
    found = []
    for kind, text in blocks(path):
        fenced = kind != "markdown"
        for line in text.splitlines():
            if kind == "markdown" and line.startswith("```"):
                fenced = not fenced
            if not fenced and (heading := re.match(r"(#+) (.+)", line)):
                found.append(Section(len(heading[1]), heading[2], []))
            found[-1].text.append(line)
    return found


@cache
def sections(file):
    """The sections of a page by their anchors; the whole page under ""."""
    found, cut = {}, pieces(CHAPTERS / file) if (CHAPTERS / file).is_file() else []
    for place, (level, heading, lines) in enumerate(cut):
        lines = list(lines)
        for piece in cut[place + 1 :]:
            if piece.level <= level:
                break
            lines += piece.text
        anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") if level > 1 else ""
        found[anchor] = Section(level, heading, words("\n".join(lines)))
    return found


def targets(entry):
    """(link, section) for each link of an entry that leads to one."""
    found = [(link, sections(link[1]).get(link[2])) for link in entry.links]
    return [(link, section) for link, section in found if section]


def label(file, heading):
    title = SHORT_TITLES.get(file, sections(file)[""].heading)
    page = file[:2].lstrip("0") if file[0].isdigit() else title
    return page if heading == page else f"{page}: {heading}"


def terms_of_the_glossary():
    block = re.search(r"```\{glossary\}\n(.+?)\n```", (CHAPTERS / "glossary.md").read_text(), re.S)
    return re.findall(r"^\S.*", block[1], re.M)


def entries_are_well_formed(index):
    for letter, text in letters(index).items():
        if rest := ENTRY.sub("", text).strip():
            yield f"{letter}: not an entry: {rest.splitlines()[0]}"
    for entry in entries(index):
        if len(entry.see) != 1 and not entry.links:
            yield f"{entry.term}: leads nowhere"
        if len(set(entry.links)) < len(entry.links):
            yield f"{entry.term}: the same link twice"


def entries_are_in_order(index):
    terms = [words(entry.term) for entry in entries(index)]
    for before, after in zip(terms, terms[1:], strict=False):
        if before >= after:
            yield f"{after!r} stands after {before!r}"


def entries_stand_under_their_letters(index):
    for entry in entries(index):
        if words(entry.term)[0] != entry.letter.lower():
            yield f"{entry.term} stands under {entry.letter}"


def letters_are_linked_at_the_top(index):
    found = LINK.findall(index.partition("\n## ")[0])
    if found != [(letter, "", letter.lower()) for letter in letters(index)]:
        yield f"the links at the top are {[letter for letter, *_ in found]}"


def links_lead_to_sections(index):
    for entry in entries(index):
        found = [link for link, _ in targets(entry)]
        for link in set(entry.links) - set(found):
            yield f"{entry.term}: {link[1]} has no heading #{link[2]}"


def links_say_where_they_lead(index):
    for entry in entries(index):
        for (text, file, _), section in targets(entry):
            if text != label(file, section.heading):
                yield f"{entry.term}: says {text!r}, not {label(file, section.heading)!r}"


def speaks_of(text, term):
    """Every word of the term is there, small words apart, with any ending (clipping, clipped)."""
    stems = [w[: max(4, len(w) - 3)] for w in words(term).split() if w not in SMALL_WORDS]
    return all(re.search(rf"(?<![a-z0-9]){stem}", text) for stem in stems)


def sections_speak_of_the_term(index):
    """By the term, or by another name that the entry gives for it."""
    for entry in entries(index):
        for (_, file, anchor), section in targets(entry):
            if not any(speaks_of(section.text, name) for name in [entry.term, *entry.names]):
                yield f"{entry.term}: {file}#{anchor} has not these words"


def names_are_found(index):
    """A name in brackets stands in one of the sections at least, as it is."""
    for entry in entries(index):
        for name in entry.names:
            if not any(words(name) in section.text for _, section in targets(entry)):
                yield f"{entry.term}: no section has {name}"


def see_leads_to_an_entry(index):
    places = {entry.term: entry.letter.lower() for entry in entries(index) if entry.links}
    for entry in entries(index):
        for term, file, anchor in entry.see:
            if file or places.get(term) != anchor:
                yield f"{entry.term}: no entry {term} with links stands under #{anchor}"


def glossary_is_covered(index):
    terms = {entry.term.lower() for entry in entries(index)}
    for term in terms_of_the_glossary():
        if term.lower() not in terms:
            yield f"{term}: in the glossary and not here"


def chapters_are_covered(index):
    found = {(file, anchor) for entry in entries(index) for _, file, anchor in entry.links}
    for path in sorted(CHAPTERS.glob("*.ipynb")):
        for anchor, (level, heading, _) in sections(path.name).items():
            if level == 2 and heading not in NOT_LOOKED_UP and (path.name, anchor) not in found:
                yield f"{path.name}: nothing leads to {heading!r}"


RULES = [
    entries_are_well_formed,
    entries_are_in_order,
    entries_stand_under_their_letters,
    letters_are_linked_at_the_top,
    links_lead_to_sections,
    links_say_where_they_lead,
    sections_speak_of_the_term,
    names_are_found,
    see_leads_to_an_entry,
    glossary_is_covered,
    chapters_are_covered,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_index(rule):
    assert list(rule(INDEX)) == []


# Each rule complains of an index that was broken on purpose.

ADDING = (
    "[7: Where the cells differ](07_which_cell.ipynb#where-the-cells-differ)"  # one entry's link
)
ELSEWHERE = "[2: It cannot be loaded](02_a_first_cell.ipynb#it-cannot-be-loaded)"  # of another


def edit(before, after):
    def change(index):
        assert before in index, before
        return index.replace(before, after, 1)

    return change


def adding(link):
    """The entry of the adding problem with another link."""
    return edit(f"- **adding problem**:\n  {ADDING}", f"- **adding problem**:\n  {link}")


BROKEN = [
    (entries_are_well_formed, edit("- **Adam**", "- Adam")),
    (entries_are_well_formed, edit("## B\n", "## B\n\nWords with B.\n")),
    (entries_are_well_formed, adding("nowhere")),
    (entries_are_well_formed, adding(f"{ADDING};\n  {ADDING}")),
    (entries_are_well_formed, edit("see [backpropagation through time](#b)", "see above")),
    (entries_are_in_order, edit("**Adam**", "**axis**")),
    (entries_are_in_order, edit("**affine**", "**Adam**")),
    (entries_stand_under_their_letters, edit("**Adam**", "**Kingma's Adam**")),
    (entries_stand_under_their_letters, edit("## B\n", "")),
    (letters_are_linked_at_the_top, edit("[B](#b) · ", "")),
    (letters_are_linked_at_the_top, edit("[B](#b)", "[B](#c)")),
    (links_lead_to_sections, edit("#where-the-cells-differ", "#where-the-cells-meet")),
    (links_lead_to_sections, edit("07_which_cell.ipynb#where", "07_what_cell.ipynb#where")),
    (links_lead_to_sections, edit("#around-the-cell", "#half-precision")),
    (links_say_where_they_lead, edit("7: Where the cells differ", "6: Where the cells differ")),
    (links_say_where_they_lead, edit("7: Where the cells differ", "7: The adding problem")),
    (links_say_where_they_lead, edit("Migration: The loop", "The loop")),
    (sections_speak_of_the_term, adding(f"{ADDING};\n  {ELSEWHERE}")),
    (sections_speak_of_the_term, edit("**adding problem**", "**adding machine**")),
    (names_are_found, edit("(`set_dtype_policy`)", "(`set_policy`)")),
    (see_leads_to_an_entry, edit("[backpropagation through time](#b)", "[propagation](#b)")),
    (see_leads_to_an_entry, edit("through time](#b)", "through time](#c)")),
    (see_leads_to_an_entry, edit("see [units](#u)", "see [hidden size](#h)")),
    (glossary_is_covered, edit("**adding problem**", "**adding machine**")),
    (chapters_are_covered, edit("#before-you-begin-keep-some-numbers", "#sources")),
]


@pytest.mark.parametrize(("rule", "break_it"), BROKEN)
def test_rule_complains_of_a_broken_index(rule, break_it):
    assert set(rule(break_it(INDEX))) - set(rule(INDEX))


def test_every_rule_is_seen_to_complain():
    assert {rule for rule, _ in BROKEN} == set(RULES)
