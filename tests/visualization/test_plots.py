"""Every picture is drawn and written, shows what the data says, and survives any name."""

import importlib
import sys
import warnings

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.artist import getp
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox
from matplotlib.patches import FancyArrowPatch, StepPatch
from PIL import Image

import simgraph as sg
from simgraph.features import Features
from simgraph.graph.edges import MATCHES, NEAR
from simgraph.rerankers import METHODS
from simgraph.visualization import plots
from simgraph.visualization.plots.neighbor_graph import _nodes
from simgraph.visualization.plots.style import method_name, plain
from simgraph.visualization.trial_view import TrialView, trial_view_of_features
from tests.visualization import sample_views as views

pytestmark = pytest.mark.filterwarnings("error")

K = {"num_paths": 3, "k_query": 4, "k_gallery": 4}
HOSTILE_METHODS = ("baseline", "$\\frac{", "<b>\n", "x" * 300)


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    return views.trial_view(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def bare():
    return views.trial_view()


@pytest.fixture(scope="module")
def distances(bare):
    return views.distances(bare)


@pytest.fixture(scope="module")
def graph(bare):
    return sg.similarity_graph(bare.features.query, bare.features.gallery, k=4)


def unlabeled(shown):
    f = Features(shown.features.query, shown.features.gallery)
    return TrialView(f, shown.query, shown.gallery)


def every_picture(shown, distances, graph):
    """Each kind of picture, from the same view."""
    why = sg.explain(graph, 1, 7, **K)
    rows = {method: d[1] for method, d in distances.items()}
    yield "strips", plots.draw_ranked_lists(shown, 1, rows, top=5)
    yield "graph", plots.draw_neighbor_graph(shown, graph, why)
    if shown.features.query_pids is not None:
        yield "distances", plots.draw_distance_histograms(shown, distances)
        yield "embedding", plots.draw_tsne(shown, k=4)
        scores = {
            method: sg.evaluate(d, *2 * [shown.features.query_pids], protocol="plain").cmc
            for method, d in distances.items()
        }
        yield "cmc", plots.draw_cmc(scores)


# --- Files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("labeled", [True, False], ids=["labeled", "unlabeled"])
@pytest.mark.parametrize("images", [True, False], ids=["images", "no images"])
def test_every_picture_is_written(tmp_path, view, bare, distances, graph, images, labeled):
    shown = view if images else bare
    shown = shown if labeled else unlabeled(shown)
    hostile = dict(zip(HOSTILE_METHODS, 4 * [*distances.values()], strict=False))
    for name, figure in every_picture(shown, hostile, graph):
        file = tmp_path / f"{name}.png"
        plots.save_figure(figure, file)
        with Image.open(file) as picture:
            width, height = np.round(figure.get_size_inches() * 200)
            assert abs(picture.width - width) <= 1 and abs(picture.height - height) <= 1
            assert 300 < picture.width < 3000 and 200 < picture.height < 3000
            # Something is drawn, and something is left white.
            pixels = np.asarray(picture.convert("L"))
            assert 0.005 < (pixels < 200).mean() < 0.7


def test_vectors_are_written_and_the_same_each_time(tmp_path, view, distances, graph):
    for (name, once), (_, again) in zip(
        *(every_picture(view, distances, graph) for _ in range(2)), strict=True
    ):
        files = [tmp_path / f"{name}{number}.svg" for number in (1, 2)]
        for figure, file in zip((once, again), files, strict=True):
            plots.save_figure(figure, file)
        assert files[0].read_bytes().startswith(b"<?xml")
        assert files[0].read_bytes() == files[1].read_bytes()
        plots.save_figure(once, tmp_path / f"{name}.pdf")
        written = (tmp_path / f"{name}.pdf").read_bytes()
        assert written.startswith(b"%PDF") and b"/FontType 3" not in written


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


def test_the_users_settings_neither_matter_nor_change(tmp_path, bare, distances, graph):
    with matplotlib.rc_context({"font.size": 30, "text.usetex": True, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        changed = [f.get_size_inches() for _, f in every_picture(bare, distances, graph)]
        plots.save_figure(plots.draw_cmc({"sim": [0.5, 1.0]}), tmp_path / "a.svg")
        assert dict(matplotlib.rcParams) == before
    usual = [f.get_size_inches() for _, f in every_picture(bare, distances, graph)]
    np.testing.assert_array_equal(changed, usual)
    plots.save_figure(plots.draw_cmc({"sim": [0.5, 1.0]}), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def forget_pictures(monkeypatch):
    for name in [*sys.modules]:
        if name.startswith("simgraph.visualization.plots"):
            monkeypatch.delitem(sys.modules, name)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    forget_pictures(monkeypatch)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"simgraph\[viz\]"):
        importlib.import_module("simgraph.visualization.plots.ranked_lists")


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch, bare):
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(ImportError, match=r"simgraph\[viz\]"):
        plots.draw_tsne(bare, k=4)


def test_no_window_system_is_touched(tmp_path, monkeypatch, distances, bare):
    forget_pictures(monkeypatch)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    anew = importlib.import_module("simgraph.visualization.plots")
    anew.save_figure(
        anew.draw_ranked_lists(bare, 0, {"sim": distances["sim"][0]}), tmp_path / "a.png"
    )


# --- Text ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*views.HOSTILE, *HOSTILE_METHODS])
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


# --- Strips ----------------------------------------------------------------------------------


def strip_by_hand():
    """Five images in two lists: 0 1 2 3 4, then 4 0 3 1 2; 0 and 3 are right."""
    f = Features(np.ones((1, 2)), np.ones((5, 2)), [7], [7, 1, 2, 7, 4])
    rows = {"baseline": torch.tensor([1.0, 2, 3, 4, 5]), "sim": torch.tensor([2.0, 4, 5, 3, 1])}
    return f, rows


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text()]


def test_strips_by_hand():
    f, rows = strip_by_hand()
    figure = plots.draw_ranked_lists(trial_view_of_features(f), 0, rows, top=3)
    shown = texts(figure)
    tiles = [text for text in shown if text.startswith("gallery")]
    assert tiles == [f"gallery {i}" for i in (0, 1, 2, 4, 0, 3)]
    signs = [text for text in shown if text in "✓×"]
    assert signs == ["✓", "×", "×", "×", "✓", "✓"]
    captions = [text for text in shown if text.startswith("id ")]
    assert captions == ["id 7", "id 1", "id 2", "id 4, was 5", "id 7, was 1", "id 7, was 4"]
    assert "baseline" in shown and "SIM" in shown and "query 0, id 7" in shown
    # 0 alone is in both rows: from place 1 to place 2, a right one.
    (arrow,) = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    (start, end) = arrow._posA_posB
    assert end[0] - start[0] == pytest.approx(1.2) and end[1] > start[1]
    assert arrow.get_linestyle() == "-"


def test_strips_leave_out_what_the_protocol_does():
    f, rows = strip_by_hand()
    cameras = Features(f.query, f.gallery, f.query_pids, f.gallery_pids, [3], [1, 2, 1, 1, 2])
    figure = plots.draw_ranked_lists(trial_view_of_features(cameras, "sysu_mm01"), 0, rows, top=10)
    tiles = [text for text in texts(figure) if text.startswith("gallery")]
    assert tiles == [f"gallery {i}" for i in (0, 2, 3, 0, 3, 2)]
    assert "id 7, was 3" in texts(figure) and "id 2, was 2" in texts(figure)


def test_strips_without_identities_have_no_signs():
    f, rows = strip_by_hand()
    figure = plots.draw_ranked_lists(trial_view_of_features(Features(f.query, f.gallery)), 0, rows)
    assert not {"✓", "×"} & set(texts(figure))
    assert "was 5" in texts(figure)


def test_strips_show_the_images_themselves(view, distances):
    rows = {"sim": distances["sim"][2]}
    figure = plots.draw_ranked_lists(view, 2, rows, top=4)
    first = int(rows["sim"].argmin())
    query, best, *rest = (np.asarray(image.get_array()) for image in figure.axes[0].images)
    np.testing.assert_array_equal(query, np.asarray(view.query.thumbnail(2, 256)))
    np.testing.assert_array_equal(best, np.asarray(view.gallery.thumbnail(first, 256)))
    assert len(rest) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": 24}, "query = 24 must be less than 24"),
        ({"query": -1}, "query = -1 must be at least 0"),
        ({"top": 0}, "top = 0 must be at least 1"),
        ({"distances": {}}, "expected at least one method, got none"),
        ({"distances": {"sim": torch.ones(3)}}, r"sim: expected distances \[24\], got \[3\]"),
    ],
)
def test_strips_refuse(bare, arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.draw_ranked_lists(
            **{"view": bare, "query": 0, "distances": {"sim": torch.ones(24)}} | arguments
        )


# --- Neighbour graph -------------------------------------------------------------------------


def drawn_graph(figure):
    axes = figure.axes[0]
    near, matches = (c for c in axes.collections if isinstance(c, LineCollection))
    arrows = [p for p in axes.patches if isinstance(p, FancyArrowPatch)]
    return near, matches, arrows, node_boxes(figure)


def node_boxes(figure):
    return [a for a in figure.axes[0].artists if isinstance(a, AnnotationBbox)]


@pytest.mark.parametrize("gallery", [0, 7, 23])
def test_the_graph_has_every_node_edge_and_path(bare, graph, gallery):
    why = sg.explain(graph, 1, gallery, **K)
    near, matches, arrows, boxes = drawn_graph(plots.draw_neighbor_graph(bare, graph, why, top=4))
    vias = {path.via for path in why.paths} - {None}
    nodes = {gallery} | vias | set(why.query_set[:4])
    assert len(boxes) == len(nodes) + 2  # the query, and the second frame
    assert len(matches.get_segments()) == len(nodes)
    pairs = {
        frozenset(pair)
        for pair in graph[NEAR].edge_index.T.tolist()
        if set(pair) <= nodes and pair[0] != pair[1]
    }
    assert len(near.get_segments()) == len(pairs)
    assert len(arrows) == sum(1 if path.via is None else 2 for path in why.paths)


def test_the_nearest_edges_are_kept_and_widest(bare, graph):
    why = sg.explain(graph, 1, 7, **K)
    near, matches, _, boxes = drawn_graph(plots.draw_neighbor_graph(bare, graph, why, top=4))
    own = graph[MATCHES].edge_index[0] == 1
    weight = graph[MATCHES].edge_weight[own]
    nodes = _nodes(why, 4)
    expected = np.argsort([float(weight[g]) for g in nodes], kind="stable")
    for strength in (
        np.array(matches.get_linewidths()),
        1 - np.array(matches.get_colors())[:, :3].mean(1),  # darkness
    ):
        assert (np.argsort(-strength, kind="stable") == expected).all()
        assert strength.max() > 1.5 * strength.min()
    # Of the gallery edges the lightest is there, and the widest.
    kept = torch.isin(graph[NEAR].edge_index, torch.tensor(nodes)).all(0)
    kept &= graph[NEAR].edge_index[0] != graph[NEAR].edge_index[1]
    lightest = graph[NEAR].edge_weight[kept].min()
    source, target = graph[NEAR].edge_index[:, kept & (graph[NEAR].edge_weight == lightest)][:, 0]
    places = np.array([box.xybox for box in boxes])
    widest = near.get_segments()[int(np.argmax(near.get_linewidths()))]
    ends = {int(np.abs(places - end).sum(1).argmin()) for end in widest}
    order = [None, *(node for node in nodes for _ in range(1 + (node == why.gallery)))]
    assert {order[end] for end in ends} == {int(source), int(target)}


def test_nearer_images_are_drawn_nearer(bare, graph):
    why = sg.explain(graph, 1, 7, **K)
    nodes = _nodes(why, 4)
    figure = plots.draw_neighbor_graph(bare, graph, why, top=4)
    _, matches, _, _ = drawn_graph(figure)
    weight = graph[MATCHES].edge_weight[graph[MATCHES].edge_index[0] == 1]
    lengths = [np.linalg.norm(a - b) for a, b in matches.get_segments()]
    distances = [float(weight[g]) for g in nodes]
    assert np.corrcoef(lengths, distances)[0, 1] > 0.5


def test_a_graph_of_loose_parts_is_drawn(tmp_path):
    graph = sg.similarity_graph_from_distances(torch.ones(2, 4), torch.ones(4, 4), k=0)
    kept = torch.tensor([0, 1, 4])  # query 0 has two edges, query 1 one, image 3 none
    for key in ("edge_index", "edge_weight"):
        graph[MATCHES][key] = graph[MATCHES][key][..., kept]
    f = Features(np.ones((2, 2)), np.ones((4, 2)), [0, 1], [0, 1, 0, 1])
    for query, gallery in ((0, 3), (1, 0), (1, 3)):
        why = sg.explain(graph, query, gallery, num_paths=1, k_query=2, k_gallery=0)
        figure = plots.draw_neighbor_graph(trial_view_of_features(f), graph, why)
        plots.save_figure(figure, tmp_path / "loose.png")
        assert all(np.isfinite(box.xybox).all() for box in node_boxes(figure))


def test_a_graph_of_another_scene_is_refused(bare, graph):
    other = sg.similarity_graph(bare.features.query[:5], bare.features.gallery, k=4)
    why = sg.explain(graph, 6, 7, **K)
    with pytest.raises(ValueError, match=r"graph: expected \(24, 24\) .* got \(5, 24\)"):
        plots.draw_neighbor_graph(bare, other, why)
    small = trial_view_of_features(bare.features.select(range(5), range(24)))
    with pytest.raises(ValueError, match=r"why: expected images of \(5, 24\), got query 6"):
        plots.draw_neighbor_graph(small, other, why)


# --- Distances -------------------------------------------------------------------------------


def panels(figure):
    for axes in figure.axes:
        yield axes.get_title(), [p.get_data() for p in axes.patches if isinstance(p, StepPatch)]


def test_histograms_by_hand():
    # Same identity: 0 and 0; different: 0 and 1. Two bins of width 1/2: (2, 0) and (1, 1): half.
    f = Features(np.ones((2, 2)), np.ones((2, 2)), [0, 1], [0, 1])
    d = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    ((title, (same, different)),) = panels(
        plots.draw_distance_histograms(trial_view_of_features(f), {"baseline": d}, bins=2)
    )
    assert title == "baseline: 50.0 % shared"
    assert same.values.tolist() == [2, 0] and different.values.tolist() == [1, 1]
    assert same.edges.tolist() == [0, 0.5, 1]


def test_histograms_count_what_the_protocol_leaves_and_paths_reach():
    f = Features(np.ones((1, 2)), np.ones((5, 2)), [0], [0, 0, 1, 1, 1], [3], [1, 2, 1, 1, 2])
    d = torch.tensor([[0.0, 9, 1, torch.inf, 9]])  # camera 2 is not seen from camera 3
    ((title, (same, different)),) = panels(
        plots.draw_distance_histograms(trial_view_of_features(f, "sysu_mm01"), {"sim": d}, bins=2)
    )
    assert title == "SIM: 0.0 % shared" and same.edges.tolist() == [0, 0.5, 1]
    assert same.values.tolist() == [2, 0] and different.values.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"distances": {}}, "expected at least one method, got none"),
        ({"distances": {"sim": torch.ones(2, 3)}}, r"sim: expected \[24, 24\], got \[2, 3\]"),
        (
            {"distances": {"sim": torch.full((24, 24), torch.inf)}},
            "sim: expected pairs of the same",
        ),
        ({"bins": 0}, "bins = 0 must be at least 1"),
    ],
)
def test_histograms_refuse(bare, arguments, message):
    usual = {"view": bare, "distances": {"sim": torch.ones(24, 24)}}
    with pytest.raises(ValueError, match=message):
        plots.draw_distance_histograms(**usual | arguments)


def test_histograms_of_equal_distances(bare, tmp_path):
    figure = plots.draw_distance_histograms(bare, {"sim": torch.ones(24, 24)})
    plots.save_figure(figure, tmp_path / "equal.png")
    assert next(panels(figure))[0] == "SIM: 100.0 % shared"


def test_pictures_of_identities_need_them(bare):
    with pytest.raises(ValueError, match="expected identities to tell pairs apart"):
        plots.draw_distance_histograms(unlabeled(bare), {"sim": torch.ones(24, 24)})
    with pytest.raises(ValueError, match="expected identities to color images by"):
        plots.draw_tsne(unlabeled(bare))


# --- Map -------------------------------------------------------------------------------------


@pytest.mark.parametrize("identities", [None, (2, 0)])
def test_the_map_has_every_image_and_the_edges_between(bare, graph, identities):
    (axes,) = plots.draw_tsne(bare, k=4, identities=identities).axes
    shown = {0, 1, 2, 3} if identities is None else {0, 2}
    points = [c for c in axes.collections if isinstance(c, PathCollection)]
    assert [len(p.get_offsets()) for p in points] == [6] * (2 * len(shown))
    assert [text.get_text() for text in axes.texts] == [str(pid) for pid in sorted(shown)]
    pid = bare.features.gallery_pids.tolist()
    expected = sum(
        s != t and pid[s] in shown and pid[t] in shown for s, t in graph[NEAR].edge_index.T.tolist()
    )
    (edges,) = (c for c in axes.collections if isinstance(c, LineCollection))
    assert len(edges.get_segments()) == expected
    gallery = np.concatenate([p.get_offsets() for p in points[1::2]]).round(3).tolist()
    assert all(end in gallery for line in edges.get_segments() for end in line.round(3).tolist())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 24}, "k = 24 must be less than num_gallery = 24"),
        ({"identities": (1, 9)}, r"expected some that both sides have, got \[9\]"),
        ({"identities": tuple(range(9))}, "identities: expected 1 to 8, got 9"),
        ({"identities": ()}, "identities: expected 1 to 8, got 0"),
    ],
)
def test_the_map_refuses(bare, arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.draw_tsne(bare, **{"k": 4} | arguments)


# --- CMC -------------------------------------------------------------------------------------


def test_draw_cmc_are_the_scores():
    cmc = {"baseline": torch.tensor([0.25, 0.5, 1.0]), "sim": [0.75, 0.75, 1.0]}
    (axes,) = plots.draw_cmc(cmc).axes
    assert [line.get_label() for line in axes.lines] == ["baseline", "SIM"]
    for line, expected in zip(axes.lines, ([25, 50, 100], [75, 75, 100]), strict=True):
        assert line.get_xdata().tolist() == [1, 2, 3] and line.get_ydata().tolist() == expected
    looks = {(line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert len(looks) == 2


@pytest.mark.parametrize("names", [[*METHODS], [f"m{i}" for i in range(60)]])
def test_any_number_of_curves_look_different(names):
    (axes,) = plots.draw_cmc({name: [1.0] for name in names}).axes
    strokes = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert len(strokes) == len(names)
    # Without lines, as in a scatter, they still differ, and in grey, too.
    inside = {
        (line.get_marker(), line.get_markerfacecolor(), line.get_color()) for line in axes.lines
    }
    assert len(inside) == len(names)
    assert len(axes.figure.legends[0].get_texts()) == len(names)


def test_a_method_looks_alike_whatever_is_beside_it():
    alone, beside = (
        plots.draw_cmc({name: [1.0] for name in names}).axes[0].lines[-1]
        for names in (["k_reciprocal"], ["mine", "baseline", "k_reciprocal"])
    )
    for look in ("color", "linestyle", "marker", "markerfacecolor"):
        assert getp(alone, look) == getp(beside, look)


def test_no_curve_and_an_empty_one_are_refused():
    with pytest.raises(ValueError, match="at least one method"):
        plots.draw_cmc({})
    with pytest.raises(ValueError, match="sim: expected a CMC of at least one rank"):
        plots.draw_cmc({"sim": []})
