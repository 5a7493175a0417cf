"""A picture is drawn as its options describe it, by the same functions as from Python."""

import numpy as np
import pytest

import simgraph as sg
from simgraph.config import Config, SIMConfig
from simgraph.features import Features
from simgraph.visualization import options, plots
from simgraph.visualization.draw import draw
from simgraph.visualization.query_selection import most_changed_query
from simgraph.visualization.trial_view import trial_view_of_features
from tests.sim.galleries import gallery_of
from tests.visualization import sample_views as views

CONFIG = Config(methods=("baseline", "sim"), sim=SIMConfig(k=4, **views.K))


@pytest.fixture(scope="module")
def view():
    return views.trial_view()


def svg(figure, tmp_path):
    plots.save_figure(figure, tmp_path / "figure.svg")
    return (tmp_path / "figure.svg").read_bytes()


@pytest.mark.parametrize("change", ["helped", "hurt"])
def test_a_strip_shows_the_query_that_changed_most(tmp_path, view, change):
    distances = views.distances(view)
    query = most_changed_query(view, distances["baseline"], distances["sim"], change)
    expected = plots.draw_ranked_lists(view, query, {m: d[query] for m, d in distances.items()}, 3)
    drawn = draw(view, options.Strip(CONFIG, change=change, top=3)).figure
    assert svg(drawn, tmp_path) == svg(expected, tmp_path)


def test_a_graph_comes_with_its_explanation(view):
    drawn = draw(view, options.Graph(CONFIG, query=5, gallery=9))
    graph = sg.similarity_graph(view.features.query, view.features.gallery, k=4)
    assert drawn.text == str(sg.explain(graph, 5, 9, **views.K))


def test_without_a_gallery_image_the_graph_leads_to_a_match(view):
    text = draw(view, options.Graph(CONFIG, query=5)).text
    gallery = int(text.split("gallery image ")[1].split(":")[0])
    assert view.is_match(5)[gallery]


def test_auto_is_resolved_before_a_graph_is_built():
    query, gallery, qid, pid = gallery_of(images=5, identities=8, noise=0.3)
    view = trial_view_of_features(Features(query, gallery, qid, pid))
    auto = SIMConfig(k="auto", num_paths="auto", k_query="auto", k_gallery="auto")
    config = CONFIG.model_copy(update={"sim": auto})
    k = sg.auto.choose(query, gallery).k
    assert k > 1
    graph = sg.similarity_graph(query, gallery, k=k)
    near = graph["gallery", "near", "gallery"].edge_index
    links = draw(view, options.Embedding(config)).figure.axes[0].collections[0]
    assert len(links.get_segments()) == int((near[0] != near[1]).sum())


def test_curves_are_the_scores_of_the_protocol(view):
    lines = draw(view, options.CMC(CONFIG)).figure.axes[0].lines
    pids = view.features.query_pids, view.features.gallery_pids
    for line, d in zip(lines, views.distances(view).values(), strict=True):
        expected = 100 * sg.evaluate(d, *pids).cmc.double()
        np.testing.assert_allclose(line.get_ydata(), expected[: len(line.get_ydata())])


def test_one_method_alone_can_be_drawn(view):
    config = CONFIG.model_copy(update={"methods": ("sim",)})
    for picture in (options.Strip(config), options.Graph(config), options.Distances(config)):
        assert draw(view, picture).figure.axes


def test_parameters_that_do_not_fit_are_refused(view):
    config = CONFIG.model_copy(update={"sim": SIMConfig(k=24)})
    for picture in (options.Strip, options.Graph, options.Distances, options.Embedding):
        with pytest.raises(ValueError, match="k = 24 must be less than num_gallery = 24"):
            draw(view, picture(config))
