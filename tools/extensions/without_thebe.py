"""A Sphinx extension: takes Thebe's scripts out of the pages.

Jupyter Book puts them into every page though no cell can be run there, and puts them in twice,
which a browser reports as an error.
"""


def take_out(app, pagename, templatename, context, doctree):
    for files in ("script_files", "css_files"):
        context[files] = [file for file in context[files] if not is_thebe(file)]


def is_thebe(file):
    return "thebe" in str(file.filename) or "THEBE" in file.attributes.get("body", "")


def setup(app):
    app.connect("html-page-context", take_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
