"""A CSV that is written whole or not at all, however the program ends."""

import csv
import os


def write_table(path, columns, rows):
    """Replaces the file ``path`` by a header and a line for each of ``rows``, which are dicts."""
    temporary = path.with_suffix(".tmp")
    with open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, path)
