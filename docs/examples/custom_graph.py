"""Build your own graph in PyG and run SGR, MNNR and SIM on it.

Eq. 1 keeps the k nearest neighbors of every gallery image. Here an image keeps all neighbors
within a radius instead: many in a dense region, none if it is isolated.
"""

import torch
from torch_geometric.data import HeteroData

import simgraph as sg

torch.manual_seed(0)
images = torch.tensor([2, 4, 8, 16, 32] * 6)  # per identity: no single k fits all of them
identity = torch.arange(30).repeat_interleave(images)
person = torch.randn(30, 64)[identity]
gallery = person + 0.7 * torch.randn_like(person)
query = person + 2.5 * torch.randn_like(person)

knn = sg.similarity_graph(query, gallery, k=8, lam=0.01)

x = knn["gallery"].x  # the L2-normalized features that the distances are computed from
d_gg = torch.cdist(x, x)
near = (d_gg < 1.0).fill_diagonal_(False)  # a missing self-loop counts as present

radius = HeteroData()
radius["query"].num_nodes, radius["gallery"].num_nodes = len(query), len(gallery)
matches = ("query", "matches", "gallery")
radius[matches].edge_index = knn[matches].edge_index
radius[matches].edge_weight = knn[matches].edge_weight
neighbor, target = near.nonzero(as_tuple=True)
radius["gallery", "near", "gallery"].edge_index = torch.stack([neighbor, target])
radius["gallery", "near", "gallery"].edge_weight = 0.01 * d_gg[neighbor, target]
sg.validate_graph(radius)  # raises with what is wrong and how to fix it

for name, graph in {"8 nearest": knn, "radius 1": radius}.items():
    d_sim = sg.SIM(num_paths=4, k_query=8, k_gallery=8)(graph)
    scores = sg.evaluate(d_sim, identity, identity, protocol="plain")
    print(f"{name:10} SIM mAP {100 * scores.mAP:5.2f}")
