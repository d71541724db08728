"""A Sphinx extension: the parser of the API page reads the package, and not all that it imports.

It would follow `import keras` and `import numpy` through hundreds of files, for four times as long
as the rest of the book takes, and nothing of it is shown.
"""

from astroid.exceptions import AstroidImportError
from astroid.manager import AstroidManager

READ = ("rnncells", "abc", "builtins")  # abc: what is abstract is shown


def setup(app):
    parse = AstroidManager.ast_from_module_name

    def ast_from_module_name(self, modname, *args, **kwargs):
        if modname.partition(".")[0] not in READ:
            raise AstroidImportError("{modname} is left out.", modname=modname)
        return parse(self, modname, *args, **kwargs)

    AstroidManager.ast_from_module_name = ast_from_module_name
    return {"parallel_read_safe": True, "parallel_write_safe": True}
