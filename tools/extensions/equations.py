"""A Sphinx extension: equations, examples and shapes in docstrings keep their lines.

The docstrings hold them indented below a sentence, as a reader of the source wants them;
reStructuredText would take them for quotations and join their lines.
"""


def mark_blocks(app, what, name, obj, options, lines):
    starts = [
        number
        for number, line in enumerate(lines)
        if line.startswith("    ")
        and number
        and not lines[number - 1]
        # not inside a section or a list, nor a later part of the same block
        and _last_text(lines[:number])[:1] not in ("", " ", "-")
    ]
    for number in reversed(starts):
        lines[number:number] = ["::", ""]


def keep_shapes(app, what, name, obj, options, lines):
    inside = False
    for number, line in enumerate(lines):
        if not line.startswith(" "):
            inside = line.startswith("Shapes") and line.endswith(":")
        elif inside and line[4] != " ":
            lines[number] = f"    | {line.strip()}"


def _last_text(lines):
    return next((line for line in reversed(lines) if line), "")


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", mark_blocks, priority=100)  # before napoleon
    app.connect("autodoc-process-docstring", keep_shapes, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
