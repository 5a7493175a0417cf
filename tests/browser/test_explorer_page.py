"""The explorer in a real browser: what it shows is what Python computes from the same numbers."""

import itertools

import numpy as np
import pytest

from simgraph.config import SIMConfig
from simgraph.evaluation import evaluate
from simgraph.features import load_features
from simgraph.visualization.explorer.page import write_explorer
from simgraph.visualization.trial_view import trial_view_of_features
from tests.browser.explorer_pages import Carried, ranked
from tests.browser.explorer_views import (
    HOSTILE,
    benchmark_size,
    integers,
    labeled,
    pictures,
    points,
)

pytestmark = pytest.mark.browser

METHODS = ("baseline", "sgr", "mnnr", "sim")
SMALL = SIMConfig(k=8, num_paths=4, k_query=7, k_gallery=7)


def written(folder, view, sim=SMALL, **options):
    file = folder / "explorer.html"
    write_explorer(view, file, sim, **options)
    return file


@pytest.fixture(scope="module")
def view():
    return points()


@pytest.fixture(scope="module")
def file(tmp_path_factory, view):
    return written(tmp_path_factory.mktemp("page"), view)


@pytest.fixture(scope="module")
def carried(file):
    return Carried(file)


def go(page, address):
    """Follow another address on the page, as a link does."""
    page.evaluate(
        "address => new Promise(done => {"
        " addEventListener('hashchange', done, { once: true }); location.hash = address; })"
        ".then(() => null)",
        address,
    )


def lists(page):
    """Shown lists: gallery images and distances of each method."""
    cells = page.eval_on_selector_all(
        "#lists [data-gallery]",
        "cells => cells.map(c => [+c.dataset.column, +c.dataset.row, +c.dataset.gallery, "
        "+c.querySelector('data').value])",
    )
    return {
        method: [(g, d) for at, _, g, d in sorted(cells) if at == column]
        for column, method in enumerate(METHODS)
    }


def assert_lists(page, stages, top):
    for method, shown in lists(page).items():
        expected = ranked(stages[method])[:top]
        assert [g for g, _ in shown] == expected.tolist(), method
        np.testing.assert_allclose([d for _, d in shown], stages[method][expected], atol=1e-5)


def values(page, selector):
    return page.eval_on_selector_all(selector, "all => all.map(d => Number(d.value))")


def images(page, selector):
    return page.eval_on_selector_all(
        f"{selector} [data-image]", "all => all.map(b => +b.dataset.image)"
    )


def assert_explained(page, why, ranks):
    stages = page.eval_on_selector_all(
        "#stages tbody tr",
        "rows => rows.map(r => [r.dataset.stage, r.querySelector('.place').textContent])",
    )
    assert stages == [[name, str(rank)] for name, rank in ranks.items()]
    np.testing.assert_allclose(
        values(page, "#stages data"), [why["stages"][m]["distance"] for m in METHODS], atol=1e-5
    )
    vias = page.eval_on_selector_all("#paths tbody tr", "rows => rows.map(r => r.dataset.via)")
    assert vias == ["direct" if p["via"] is None else str(p["via"]) for p in why["paths"]]
    hops = [[p["query_hop"], p["gallery_hop"], p["length"]] for p in why["paths"]]
    np.testing.assert_allclose(values(page, "#paths tbody data"), np.ravel(hops), atol=1e-5)
    assert images(page, "#shared") == why["shared"]
    assert images(page, "#only-query") == [g for g in why["query_set"] if g not in why["shared"]]
    assert images(page, "#only-gallery") == [
        g for g in why["gallery_set"] if g not in why["shared"]
    ]
    terms = {"d-s": "d_s", "d-m": "d_m", "term-s": "term_s", "term-m": "term_m", "d-sim": "d_sim"}
    for place, name in terms.items():
        assert values(page, f"#{place} data") == pytest.approx([why[name]], abs=1e-5), name


def ranks_of(why):
    return {method: why["stages"][method]["rank"] for method in METHODS}


def set_slider(page, key, value):
    page.eval_on_selector(
        f"#slider-{key}",
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
        value,
    )


def test_opens_alone_with_all_its_parts(open_page, file, view):
    page = open_page(file)
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1
    assert page.title() == "a small set · simgraph explorer"
    assert "24 queries × 66 gallery images" in page.inner_text("header")
    assert "float32" in page.inner_text("footer")
    f = view.features
    d = Carried(file).d_qg
    scores = evaluate(d, f.query_pids, f.gallery_pids, protocol="plain")
    assert values(page, "#scores li:first-child data") == pytest.approx(
        [100 * scores.rank(1), 100 * scores.mAP], abs=1e-3
    )


CHANGES = [
    {},
    {"lam": 0.0},
    {"lam": 1.0, "num_paths": 1},
    {"k": 40, "num_paths": 20, "k_gallery": 21},
    {"k": 0, "num_paths": 1, "k_gallery": 0},
    {"k_query": 1, "k_gallery": 1},
    {"k_query": 66, "k_gallery": 5, "expand": False},
    {"alpha": 0.0, "k_gallery": 3},
    {"alpha": 1.0, "lam": 0.3},
]


def fragment(query, changes):
    fields = {name: int(v) if isinstance(v, bool) else v for name, v in changes.items()}
    return f"#q={query}&top=50" + "".join(f"&{name}={value}" for name, value in fields.items())


def test_lists_are_what_python_computes(open_page, file, carried):
    page = open_page(file)
    for changes in CHANGES:
        for query in (0, 23):
            go(page, fragment(query, changes))
            assert_lists(page, carried.stages(query, **changes), 50)


def test_nothing_but_ties(open_page, tmp_path):
    file = written(tmp_path, integers(), SIMConfig(k=6, num_paths=5, k_query=5, k_gallery=5))
    carried, page = Carried(file), open_page(file, "#top=50")
    for query, k_gallery in itertools.product(range(3), (2, 5)):
        go(page, f"#q={query}&top=50&k_gallery={k_gallery}&g=3")
        assert_lists(page, carried.stages(query, k_gallery=k_gallery), 50)
        why = carried.explanation(query, 3, k_gallery=k_gallery)
        assert_explained(page, why, ranks_of(why))


def test_real_features(open_page, tmp_path, shared):
    features = load_features(shared / "features/mfeat_fou2kar_cca.npz")
    file = written(tmp_path, trial_view_of_features(features), SIMConfig())
    carried, page = Carried(file), open_page(file, "#top=50&q=7")
    assert_lists(page, carried.stages(7), 50)
    set_slider(page, "k_gallery", 13)
    assert_lists(page, carried.stages(7, k_gallery=13), 50)


@pytest.mark.parametrize(
    ("key", "place", "value"),
    [("lam", 400, 0.064), ("num_paths", 7, 7), ("k", 12, 12), ("alpha", 0.65, 0.65),
     ("k_query", 3, 3), ("k_gallery", 5, 5)],
)  # fmt: skip
def test_a_slider_computes_again(open_page, file, carried, key, place, value):
    page = open_page(file, "#q=2&top=50&g=11")
    before = lists(page)
    set_slider(page, key, place)
    assert lists(page) != before
    assert float(page.input_value(f"#number-{key}")) == value
    assert_lists(page, carried.stages(2, **{key: value}), 50)
    why = carried.explanation(2, 11, **{key: value})
    assert_explained(page, why, ranks_of(why))
    page.click("#reset")
    assert lists(page) == before


def test_a_slider_moves_by_keys(open_page, file, carried):
    page = open_page(file, "#q=2&top=50")
    page.locator("#slider-num_paths").press("ArrowRight")
    assert_lists(page, carried.stages(2, num_paths=5), 50)


def test_a_number_computes_again_and_stays_in_bounds(open_page, file, carried):
    page = open_page(file, "#q=2&top=50")
    page.fill("#number-lam", "0.0375")
    assert_lists(page, carried.stages(2, lam=0.0375), 50)
    page.fill("#number-k", "3")
    assert page.input_value("#number-num_paths") == "4"  # K <= k + 1
    assert page.input_value("#number-k_gallery") == "3"  # k_g <= k
    assert_lists(page, carried.stages(2, lam=0.0375, k=3, num_paths=4, k_gallery=3), 50)
    page.fill("#number-k", "4000")
    assert_lists(page, carried.stages(2, lam=0.0375, k=40, num_paths=4, k_gallery=3), 50)


def test_choosing_a_query_shows_its_lists(open_page, file, carried):
    page = open_page(file)
    page.click("#query-5")
    assert page.inner_text("#subject h2") == "Query q5"
    assert_lists(page, carried.stages(5), 10)
    page.click("#next")
    assert_lists(page, carried.stages(6), 10)
    page.go_back()
    page.wait_for_function("document.querySelector('#subject h2').textContent === 'Query q5'")
    page.fill("#find", "q17")
    page.click("[role=option]")
    assert_lists(page, carried.stages(17), 10)


def test_clicking_an_item_explains_it(open_page, file, carried):
    page = open_page(file, "#q=4&expand=1")
    for row, column in ((0, 3), (7, 0), (4, 1), (9, 2)):
        cell = page.locator(f"[data-row='{row}'][data-column='{column}']")
        gallery = int(cell.get_attribute("data-gallery"))
        cell.click()
        why = carried.explanation(4, gallery)
        assert_explained(page, why, ranks_of(why))
        assert page.locator("[data-gallery][aria-selected=true]").count() >= 1
    via = page.locator("#paths [data-image]").first
    gallery = int(via.get_attribute("data-image"))
    via.click()
    why = carried.explanation(4, gallery)
    assert_explained(page, why, ranks_of(why))


def test_movements_and_scores(open_page, file, carried, view):
    page = open_page(file, "#q=3&top=50")
    stages, f = carried.stages(3), view.features
    before = {g: rank for rank, g in enumerate(ranked(stages["baseline"]))}
    for column, method in enumerate(METHODS[1:], start=1):
        shown = page.eval_on_selector_all(
            f"[data-column='{column}'] .move span[aria-hidden]",
            "all => all.map(m => m.textContent)",
        )
        ups = [before[g] - rank for rank, g in enumerate(ranked(stages[method])[:50])]
        words = ["=" if up == 0 else f"{'▲' if up > 0 else '▼'}{abs(up)}" for up in ups]
        assert shown == words
    for method in METHODS:
        m = evaluate(stages[method][None], f.query_pids[3:4], f.gallery_pids, protocol="plain")
        assert values(page, f"th[data-stage={method}] data") == pytest.approx([m.mAP])
        assert (
            page.inner_text(f"th[data-stage={method}] .first") == f" · first at {m.first_rank[0]}"
        )


@pytest.mark.parametrize("protocol", ["sysu_mm01", "llcm"])
def test_the_protocol_leaves_images_out(open_page, tmp_path, protocol):
    small, query = points(seed=3), 1
    view = labeled(small.features.query, small.features.gallery, 6, protocol, (4, 2))
    file = written(tmp_path, view)
    carried, page = Carried(file), open_page(file, f"#q={query}&top=50")
    seen = view.in_list(query).numpy()
    assert 0 < seen.sum() < 66
    stages = carried.stages(query)
    kept = {name: np.where(seen, d, np.inf) for name, d in stages.items()}
    assert_lists(page, kept, 50)
    f = view.features
    m = evaluate(
        stages["sim"][None], f.query_pids[query : query + 1], f.gallery_pids,
        f.query_cams[query : query + 1], f.gallery_cams, protocol,
    )  # fmt: skip
    assert values(page, "th[data-stage=sim] data") == pytest.approx([m.mAP])
    page.uncheck("#as-scored")
    assert_lists(page, stages, 50)
    assert values(page, "th[data-stage=sim] data") == pytest.approx([m.mAP])


def test_filters(open_page, file, carried, view):
    page, f = open_page(file), view.features
    first = {
        method: evaluate(d, f.query_pids, f.gallery_pids, protocol="plain").first_rank.numpy()
        for method, d in carried.all_stages(range(24)).items()
    }
    hit = {m: ranks == 1 for m, ranks in first.items()}
    wanted = {
        "lost": hit["baseline"] & ~hit["sim"],
        "won": ~hit["baseline"] & hit["sim"],
        "missed": ~(hit["baseline"] | hit["sgr"] | hit["mnnr"] | hit["sim"]),
        "none": np.zeros(24, bool),
        "all": np.ones(24, bool),
    }
    assert wanted["lost"].any() and wanted["won"].any()
    for outcome, queries in wanted.items():
        page.select_option("#outcome", outcome)
        assert shown_queries(page) == np.flatnonzero(queries).tolist(), outcome
    page.select_option("#identity", "2")
    assert shown_queries(page) == [2, 8, 14, 20]
    page.select_option("#camera", "6")
    page.fill("#find", "id:2 cam:6")
    assert shown_queries(page) == [2, 8, 14, 20]
    page.select_option("#camera", "3")
    assert shown_queries(page) == []
    assert page.inner_text("#query-count") == "0 of 24 queries"


def shown_queries(page):
    """All that the list holds, drawn or not: it is walked through to its end."""
    count = page.inner_text("#query-count").split()[0]
    found = {}
    for top in range(0, 1200, 300):
        page.eval_on_selector("#queries", "(list, top) => { list.scrollTop = top; }", top)
        page.eval_on_selector("#queries", "list => list.dispatchEvent(new Event('scroll'))")
        rows = page.eval_on_selector_all(
            "[role=option]", "all => all.map(o => [+o.ariaPosInSet, +o.dataset.query])"
        )
        found.update(dict(rows))
    assert len(found) == int(count)
    return [found[place] for place in sorted(found)]


def test_the_graph_is_drawn(open_page, file, carried):
    page = open_page(file, "#q=4")
    why = carried.explanation(4, 0)
    assert page.locator("#graph .node").count() == 1 + len(why["query_set"])
    gallery = int(page.locator("[data-row='2'][data-column='3']").get_attribute("data-gallery"))
    page.click(f"#graph [data-node='{why['query_set'][3]}']")
    assert page.inner_text("#explanation h3") == f"Why g{why['query_set'][3]} for q4"

    go(page, f"#q=4&g={gallery}")
    page.wait_for_selector(f"#graph .chosen[data-node='{gallery}']")
    why = carried.explanation(4, gallery)
    members = {gallery, *why["query_set"], *why["gallery_set"]}
    members |= {p["via"] for p in why["paths"]} - {None}
    nodes = page.eval_on_selector_all("#graph .node", "all => all.map(n => n.dataset.node)")
    assert sorted(nodes) == sorted(["q", *map(str, members)])
    legs = sum(1 if p["via"] is None else 2 for p in why["paths"])
    assert page.locator("#graph .path").count() == legs
    assert page.locator("#graph .halo").count() == len(why["shared"])

    frame = page.locator("#graph").bounding_box()
    boxes = [node.bounding_box() for node in page.locator("#graph .node .face").all()]
    assert all(
        frame["x"] <= b["x"] and b["x"] + b["width"] <= frame["x"] + frame["width"]
        and frame["y"] <= b["y"] and b["y"] + b["height"] <= frame["y"] + frame["height"]
        for b in boxes
    )  # fmt: skip
    assert len({(round(b["x"]), round(b["y"])) for b in boxes}) == len(boxes)


def test_the_graph_can_be_dragged_and_zoomed(open_page, file):
    page = open_page(file, "#q=4&g=2")
    node = page.locator("#graph .node:not(.chosen):not(.query)").first
    before = node.bounding_box()
    page.mouse.move(before["x"] + 8, before["y"] + 8)
    page.mouse.down()
    page.mouse.move(before["x"] + 70, before["y"] + 60, steps=4)
    page.mouse.up()
    after = node.bounding_box()
    assert abs(after["x"] - before["x"] - 62) < 8 and abs(after["y"] - before["y"] - 52) < 8
    assert page.inner_text("#explanation h3") == "Why g2 for q4"
    page.mouse.wheel(0, -400)
    page.wait_for_function(
        "document.querySelector('#graph > g').getAttribute('transform')?.includes('scale')"
    )


def test_keyboard_alone(open_page, file, carried):
    page = open_page(file)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.locator("#queries").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert page.get_attribute("#queries", "aria-activedescendant") == "query-3"
    assert_lists(page, carried.stages(3), 10)
    page.keyboard.press("Enter")
    assert focused_cell(page) == ["0", "3"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert focused_cell(page) == ["1", "2"]
    assert (
        page.evaluate(
            "getComputedStyle(document.activeElement.querySelector('.inner')).outlineStyle"
        )
        == "solid"
    )
    gallery = int(page.evaluate("document.activeElement.dataset.gallery"))
    page.keyboard.press("Enter")
    why = carried.explanation(3, gallery)
    assert_explained(page, why, ranks_of(why))
    assert focused_cell(page) == ["1", "2"]
    assert page.inner_text("#status").startswith(f"g{gallery} for q3")

    page.locator("#graph [tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    chosen = page.evaluate("document.activeElement.dataset.node")
    page.keyboard.press("ArrowRight")
    other = page.evaluate("document.activeElement.dataset.node")
    assert chosen != other
    page.keyboard.press("Enter")
    assert page.inner_text("#explanation h3") == f"Why g{other} for q3"
    page.locator("#queries").press("End")
    assert page.inner_text("#subject h2") == "Query q23"


def focused_cell(page):
    return page.evaluate(
        "[document.activeElement.dataset.row, document.activeElement.dataset.column]"
    )


def test_everything_that_can_be_used_has_a_name(open_page, file):
    page = open_page(file, "#q=4&g=2")
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    used = ("slider", "spinbutton", "combobox", "searchbox", "button", "checkbox", "option",
            "gridcell", "listbox", "grid", "columnheader", "navigation", "region")  # fmt: skip
    named = {role: [] for role in used}
    for node in tree["nodes"]:
        role = node.get("role", {}).get("value")
        if role in named and not node["ignored"]:
            named[role].append(node.get("name", {}).get("value", ""))
    assert all(named.values()), {role: len(names) for role, names in named.items()}
    assert not [role for role, names in named.items() if not all(names)]


def test_an_address_restores_all_of_it(open_page, file, carried):
    page = open_page(file, "#q=6")
    set_slider(page, "alpha", 0.8)
    page.fill("#number-k", "11")
    page.select_option("#top", "20")
    page.select_option("#outcome", "won")
    page.locator("[data-row='1'][data-column='2']").click()
    address = page.evaluate("location.hash")
    shown = page.inner_text("main")
    again = open_page(file, address)
    assert again.inner_text("main") == shown
    assert again.input_value("#outcome") == "won"
    assert_lists(again, carried.stages(6, alpha=0.8, k=11), 20)


@pytest.mark.parametrize(
    "address", ["#q=-5&k=1e9&g=9999&top=3", "#q=NaN&lam=x&num_paths=", "#%%%&<script>=1&q=2.4"]
)
def test_an_address_that_makes_no_sense_shows_something(open_page, file, carried, address):
    page = open_page(file, address)
    query = int(page.inner_text("#subject h2").removeprefix("Query q"))
    k = int(page.input_value("#number-k"))
    assert_lists(page, carried.stages(query, k=k), 10)


def test_hostile_names_are_text(open_page, tmp_path):
    file = written(tmp_path, pictures(tmp_path))
    carried, page = Carried(file), open_page(file)
    for query, name in enumerate(HOSTILE):
        go(page, f"#q={query}&g={query}&top=20")
        assert_lists(page, carried.stages(query), 20)
        printable = name.replace("\x00", "").replace("\udcff", "")
        assert page.text_content("#subject .name").startswith(printable)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    assert page.title().startswith("<script>alert('title')</script>")
    assert page.locator("script").count() == 6
    assert page.locator("b, img[src=x], img[onerror]").count() == 0


def test_thumbnails_are_shown(open_page, tmp_path):
    page = open_page(written(tmp_path, pictures(tmp_path)), "#q=9&g=30")
    sizes = page.eval_on_selector_all(
        "img", "all => all.map(i => [i.naturalWidth, i.naturalHeight])"
    )
    assert len(sizes) > 50 and sizes.count([20, 40]) == len(sizes)
    assert page.locator("#graph image").count() == page.locator("#graph .node").count()


@pytest.mark.parametrize(
    ("max_mib", "bits", "words"),
    [
        (0.66, 16, "2^16 levels"),
        (0.565, 16, "2^16 levels"),
        (0.515, 32, "nearest of each query's 500"),
    ],
)
def test_coarser_distances_say_so(open_page, tmp_path, max_mib, bits, words):
    file = written(tmp_path, points(120, 500), SMALL, max_mib=max_mib)
    assert file.stat().st_size <= max_mib * 2**20
    carried, page = Carried(file), open_page(file, "#q=119&top=50")
    assert carried.about["distances"]["bits"] == bits
    assert words in page.inner_text("footer")
    assert_lists(page, carried.stages(119), 50)
    set_slider(page, "k_gallery", 5)
    assert_lists(page, carried.stages(119, k_gallery=5), 50)


def test_one_gallery_image_and_no_labels(open_page, tmp_path):
    from simgraph.features import Features

    rows = np.eye(3, dtype=np.float32)
    view = trial_view_of_features(Features(rows[:2], rows[2:]))
    file = written(tmp_path, view, SIMConfig(k=0, num_paths=1, k_query=1, k_gallery=0))
    page = open_page(file, "#q=1&g=0")
    assert_lists(page, Carried(file).stages(1), 10)
    assert page.locator("#outcome").is_hidden() and page.locator("#camera").is_hidden()


def test_the_size_of_a_benchmark(open_page, tmp_path):
    file = written(tmp_path, benchmark_size(), SIMConfig())
    assert file.stat().st_size < 40 * 2**20
    page = open_page(file, "#q=3802&top=50")
    opened = page.evaluate("performance.getEntriesByName('ready')[0].startTime")
    assert opened < 5000
    carried = Carried(file)
    assert_lists(page, carried.stages(3802), 50)
    set_slider(page, "k_gallery", 11)
    assert_lists(page, carried.stages(3802, k_gallery=11), 50)
