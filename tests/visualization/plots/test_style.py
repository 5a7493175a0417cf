"""Text is shown literally; pictures are written whole."""

import warnings

import pytest
from matplotlib.figure import Figure

from simgraph.visualization import plots
from simgraph.visualization.plots.style import method_name, plain
from tests.visualization.sample_views import HOSTILE

pytestmark = pytest.mark.filterwarnings("error")

HOSTILE_METHODS = ("baseline", "$\\frac{", "<b>\n", "x" * 300)


@pytest.mark.parametrize("text", [*HOSTILE, *HOSTILE_METHODS])
def test_any_text_is_shown_on_one_short_line(text):
    shown = plain(text)
    assert len(shown.replace(r"\$", "$")) <= 40 and "\n" not in shown
    figure = Figure()
    drawn = figure.text(0, 0, shown)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.draw_without_rendering()
    # No mathematics: what matplotlib draws is the text itself.
    assert drawn._preprocess_math(shown) == (shown.replace(r"\$", "$"), False)


def test_text_that_is_harmless_stays():
    assert plain("test/visible/anna/c3_1.png") == "test/visible/anna/c3_1.png"
    assert plain("costs $5 λ·é") == r"costs \$5 λ·é"
    assert plain("a b\n\tc") == "a b c"
    assert plain("0123456789", 5) == "01…89"
    assert plain("山🦊x") == "□□x"
    assert [method_name(m) for m in ("baseline", "sim", "k_reciprocal")] == [
        "baseline", "SIM", "k_reciprocal",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["picture.jpg", "picture", "picture.png.npz"])
def test_other_suffixes_are_refused_before_work(tmp_path, name):
    with pytest.raises(ValueError, match=r"ending in \.png or \.svg or \.pdf"):
        plots.check_picture(tmp_path / name)
    with pytest.raises(ValueError, match=r"ending in \.png or \.svg or \.pdf"):
        plots.save_figure(Figure(), tmp_path / name)


def test_a_picture_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    file = tmp_path / "kept.png"
    file.write_bytes(b"old")
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        plots.save_figure(Figure(), file)
    assert file.read_bytes() == b"old" and [*tmp_path.iterdir()] == [file]
