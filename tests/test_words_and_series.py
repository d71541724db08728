"""Chapter 11: its data, what its trainings read, and the tables that they have left."""

import hashlib
import json
from collections import Counter

import numpy as np
import pytest

from experiments import chapter_11
from rnncells.book import series, words
from rnncells.book.records import load_runs

CHAPTER = chapter_11.FOLDER.parents[1] / "chapters" / "11_words_and_series.ipynb"


@pytest.fixture(scope="module")
def chapter():
    """What the chapter itself defines and does not train, by name."""
    space = {"np": np, "words": words, "series": series, "Counter": Counter}
    wanted = ("n_grams", "count", "kneser_ney", "autoregression")
    wanted += ("discounts", "levels", "probability")
    for cell in json.loads(CHAPTER.read_text())["cells"]:
        source = "".join(cell["source"])
        if source.startswith(tuple(f"def {name}(" for name in wanted)):
            exec(source.partition("\n\n\npairs =")[0], space)
    return space


# Names.


def test_the_names_are_those_of_the_census():
    assert hashlib.sha256(words.NAMES.read_bytes()).hexdigest()[:12] == "0d57baff45e6"
    parts = words.load_names()
    assert [len(part) for part in parts] == [81910, 5000, 5000]
    assert len({name for part in parts for name in part}) == 91910
    assert parts[0][:2] == ["czapor", "wosher"]  # the same order in every version of NumPy


def test_a_name_as_codes():
    inputs, targets = words.encode(["ada", "z"])
    assert inputs.shape == targets.shape == (2, 14)
    assert inputs[0].tolist() == [1, 2, 5, 2] + [0] * 10
    assert targets[0].tolist() == [2, 5, 2, 1] + [0] * 10
    assert (inputs[1, :2].tolist(), targets[1, :2].tolist()) == ([1, 27], [27, 1])
    assert [words.letters(row) for row in targets] == ["ada.", "z."]


def test_the_longest_name_fits_and_every_name_comes_back():
    names = [name for part in words.load_names() for name in part]
    _, targets = words.encode(names)
    assert [words.letters(row) for row in targets[::97]] == [name + "." for name in names[::97]]
    assert max(map(len, names)) == words.LONGEST


@pytest.mark.parametrize("name", ["a" * 14, "Ada", "o'neil", "zoë", "a b"])
def test_what_is_no_name_is_refused_in_one_sentence(name):
    with pytest.raises(ValueError, match="expected at most 13 letters, a to z; got .*; write it"):
        words.encode([name])


# The n-grams, as the chapter counts them.


def test_n_grams_are_the_letters_with_those_before(chapter):
    rows = chapter["n_grams"](["ab", "c"], 3)
    assert rows.tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 0], [0, 0, 3], [0, 3, 0]]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_kneser_ney_is_what_a_loop_computes(chapter, n):
    names = ["anna", "ana", "nana", "hanna"]
    counts = chapter["count"](names, n)
    p = chapter["kneser_ney"](counts, 0.75)
    assert p.shape == (27,) * n
    np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-12)
    grams = [tuple(row) for row in chapter["n_grams"](names, n)]
    for gram in {*grams, (0,) * n, (5,) * n}:
        assert p[gram] == pytest.approx(by_hand(grams, gram, 0.75))


def by_hand(grams, gram, d):
    """The recursion over lists: the shorter model counts distinct contexts."""
    if not gram:
        return 1 / 27
    shorter = [g[1:] for g in sorted(set(grams))]
    same = [g for g in grams if g[:-1] == gram[:-1]]
    lower = by_hand(shorter, gram[1:], d)
    if not same:
        return lower
    return (max(same.count(gram) - d, 0) + d * len(set(same)) * lower) / len(same)


def test_with_one_discount_the_dictionaries_are_the_arrays(chapter, monkeypatch):
    names = ["anna", "ana", "nana", "hanna"]
    p = chapter["kneser_ney"](chapter["count"](names, 3), 0.9)
    monkeypatch.setitem(chapter, "discounts", lambda counts: (0, 0.9, 0.9, 0.9))
    levels = list(chapter["levels"](names, 3))
    for gram in np.ndindex(3, 27, 27):
        assert chapter["probability"](gram, levels) == pytest.approx(p[gram])


def test_three_discounts_are_those_of_the_counts_of_counts(chapter):
    counts = Counter(dict(enumerate([1] * 40 + [2] * 20 + [3] * 10 + [4] * 5 + [9])))
    y = 40 / (40 + 2 * 20)
    expected = (0, 1 - 2 * y * 20 / 40, 2 - 3 * y * 10 / 20, 3 - 4 * y * 5 / 10)
    assert chapter["discounts"](counts) == pytest.approx(expected)
    levels = list(chapter["levels"](words.load_names()[0][:3000], 4))
    for context in ((0, 0, 0), (2, 15, 2), (26, 26, 26)):
        shares = [chapter["probability"]((*context, k), levels) for k in range(27)]
        assert sum(shares) == pytest.approx(1) and min(shares) > 0


# The long text and the pairs.


def test_too_few_names_for_a_batch_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="expected at least 1280 .*; got 4; give more names"):
        words.pieces(["ada"], streams=80, steps=16)


def test_each_batch_goes_on_where_the_one_before_ended():
    names = words.load_names()[0][:200]
    x, y = words.pieces(names, streams=10, steps=4)
    assert x.shape == y.shape and x.shape[1] == 4 and len(x) % 10 == 0
    assert 0 <= sum(len(name) + 1 for name in names) - x.size < 10 * 4  # less than a piece each
    stream = np.concatenate(x.reshape(-1, 10, 4)[:, 3])
    later = np.concatenate(y.reshape(-1, 10, 4)[:, 3])
    assert (stream[1:] == later[:-1]).all()
    text = ".".join(["", *names, ""])
    assert words.letters(stream) in text


def test_a_pair_is_asked_for_by_its_key():
    x, y = chapter_11.sequences_of_pairs(50, 3, np.random.default_rng(0))
    assert x.shape == (50, 4, 24)
    keys, values = x[:, :3, :16], x[:, :3, 16:].argmax(axis=-1)
    asked = (keys == x[:, 3:, :16]).all(axis=-1)
    assert (asked.sum(axis=1) >= 1).all() and not x[:, 3, 16:].any()
    assert (values[np.arange(50), asked.argmax(axis=1)] == y).mean() == 1


# The series.


def test_the_sunspots_are_those_that_were_published():
    years, numbers = series.load_sunspots()
    assert hashlib.sha256(series.SUNSPOTS.read_bytes()).hexdigest()[:12] == "a9730a5a0626"
    assert (years[0], numbers[0]) == (1749, 58.0)
    assert (len(numbers), years[-1]) == (3120, pytest.approx(2008 + 11 / 12))
    assert (numbers.max(), years[numbers.argmax()]) == (253.8, pytest.approx(1957 + 9 / 12))


def test_windows_know_nothing_of_what_comes():
    past, future = series.windows(np.arange(10.0), steps=3, ahead=2, ends=[2, 7, 8])
    assert past.tolist() == [[0, 1, 2], [5, 6, 7], [6, 7, 8]]
    assert future[:2].tolist() == [[3, 4], [8, 9]]
    assert future[2, 0] == 9 and np.isnan(future[2, 1])


def test_the_autoregression_finds_one_and_learns_from_the_early_years_alone(chapter):
    random = np.random.default_rng(0)
    values = np.zeros(400)
    for t in range(2, 400):
        values[t] = 1.5 * values[t - 1] - 0.8 * values[t - 2] + random.normal()
    chapter["trained_to"] = 200
    forecasts = chapter["autoregression"](values, 2, 1)
    expected = 1.5 * values[301:399] - 0.8 * values[300:398]
    assert np.abs(forecasts[302:] - expected[: len(forecasts[302:])]).mean() < 0.3
    later = values.copy()
    later[300:] += 100
    again = chapter["autoregression"](later, 2, 1)
    assert (again[2:301] == forecasts[2:301]).all() and again[310] != forecasts[310]


# The tables that the chapter prints.


@pytest.mark.parametrize("part", chapter_11.PARTS)
def test_a_table_has_every_planned_run_once(part):
    planned, _ = chapter_11.PARTS[part]
    rows = chapter_11.read(part)
    for run in planned():
        assert sum(chapter_11.agrees(row, run) for row in rows) == 1, run
    assert not any("" in row.values() for row in rows)


def test_runs_are_read_as_numbers():
    run = load_runs("text", piece=1, carried=True, seed=0)[0]
    assert run["carried"] is True and 3 < run["test"] < 3.3


def test_a_run_is_kept_and_not_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr(chapter_11, "FOLDER", tmp_path)
    monkeypatch.setattr(chapter_11, "RUNNING", tmp_path)
    trained = []

    def train(run):
        trained.append(run["seed"])
        return {"test": "1.0"}

    part = (lambda: ({"seed": seed} for seed in range(3)), train)
    monkeypatch.setitem(chapter_11.PARTS, "names", part)
    chapter_11.run_part("names")
    chapter_11.run_part("names")
    assert trained == [0, 1, 2] and len(chapter_11.read("names")) == 3
