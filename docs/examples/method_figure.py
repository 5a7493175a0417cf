"""Draw the neighbor graph of a small test set: how two hops correct a poor direct distance."""

import torch

import simgraph as sg
from simgraph.features import Features
from simgraph.visualization.plots import draw_neighbor_graph, save_figure
from simgraph.visualization.trial_view import trial_view_of_features

generator = torch.Generator().manual_seed(6)
identity = torch.arange(5).repeat_interleave(6)
person = torch.randn(5, 24, generator=generator)
gallery = person[identity] + 0.8 * torch.randn(30, 24, generator=generator)
query = person + 1.5 * torch.randn(5, 24, generator=generator)

graph = sg.similarity_graph(query, gallery, k=5)
why = max(  # the correct match that SIM moves up most
    (
        sg.explain(graph, q, g, num_paths=3, k_query=9, k_gallery=5)
        for q in range(5)
        for g in (identity == q).nonzero().flatten().tolist()
    ),
    key=lambda why: why.stages.baseline.rank - why.stages.sim.rank,
)
print(why)
view = trial_view_of_features(Features(query, gallery, torch.arange(5), identity))
save_figure(draw_neighbor_graph(view, graph, why, top=12), "method.png")
