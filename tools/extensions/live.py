"""A Sphinx extension: gives a page the scripts of the live elements that it holds, and no others.

An element says in `data-live` what it is. The scripts lie in site/live, which html_extra_path
copies beside the pages; they are classic scripts, since a browser loads no module from a file.
"""

import re

READER = ("drawing", "samples", "weights-simple", "weights-lstm", "weights-gru")
NEEDS = {
    "reader": READER,
    "reach": ("samples", "untrained"),
    "tape": (),
    "one-step": (),
    "eigenvalues": (),
    "bet": (),
    "letters": ("spelling", "weights-letters"),
}


def scripts(body):
    """The scripts of a page, in the order in which they run."""
    things = sorted(set(re.findall(r'data-live="([\w-]+)"', body)))
    if unknown := set(things) - set(NEEDS):
        raise ValueError(f"data-live: expected one of {', '.join(NEEDS)}; got {unknown.pop()!r}.")
    if not things:
        return []
    needed = dict.fromkeys(name for thing in things for name in NEEDS[thing])
    return ["cells", "figure", *needed, *things]


def load(app, pagename, templatename, context, doctree):
    names = scripts(context.get("body", ""))
    if not names:
        return
    address = context["pathto"]
    tags = [f'<script defer src="{address(f"live/{name}.js", 1)}"></script>' for name in names]
    sheet = f'<link rel="stylesheet" href="{address("live/live.css", 1)}">'
    context["metatags"] = "\n".join([context.get("metatags", ""), sheet, *tags])


def setup(app):
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
