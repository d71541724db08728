"""Each stage of a diagram adds one element, and only the newest is in colour."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import same_color

from rnncells.book import diagrams
from rnncells.book.plotting import COLORS


@pytest.fixture
def drawn(monkeypatch):
    """The texts of a drawn figure, and those among them that are in the cell's colour."""
    monkeypatch.setattr(plt, "show", lambda: None)

    def draw(show, parts, color):
        show(parts)
        texts = plt.gca().texts
        coloured = {t.get_text() for t in texts if same_color(t.get_color(), color)}
        return {t.get_text() for t in texts} - {""}, coloured - {""}

    yield draw
    plt.close("all")


LSTM = [
    {"g", "+", "$c_{t-1}$", "$c_t$"},
    {"i", "×"},
    {"f"},
    {"o", "$h_t$"},
    {"tanh", "σ", "$h_{t-1}$"},
]
GRU = [{"g", "+", r"$1-\alpha$", r"$\alpha$"}, {"z", "$1-z$"}, {"r"}, {"σ", "tanh"}]


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 5])
def test_the_lstm_grows_by_one_element(drawn, parts):
    texts, coloured = drawn(diagrams.show_lstm, parts, COLORS["lstm"])
    assert set().union(*LSTM[:parts]) <= texts
    assert not set().union(*LSTM[parts:]) & texts
    assert LSTM[parts - 1] <= coloured
    assert not coloured & set().union(*LSTM[: parts - 1]) - {"×"}


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_the_gru_grows_by_one_element(drawn, parts):
    texts, coloured = drawn(diagrams.show_gru, parts, COLORS["gru"])
    newer = set().union(*GRU[parts:])
    assert GRU[parts - 1] <= texts
    assert not newer & texts
    assert GRU[parts - 1] <= coloured
    assert (r"$1-\alpha$" in texts) == (parts == 1)  # the gate takes the place of the fixed share


@pytest.mark.parametrize("parts", [0, 6])
def test_a_stage_that_is_not_there_is_refused(parts):
    with pytest.raises(ValueError, match=f"parts: expected 1 to 5; got {parts}"):
        diagrams.show_lstm(parts)
