"""Train with SGR in the loop: its distances carry gradients to the features.

A linear layer maps infrared features into the RGB space. It is trained on d_S, which ranks the
gallery at test time, instead of the direct distance.
"""

import torch
from torch import nn

import simgraph as sg

torch.manual_seed(0)
DIM, IMAGES = 32, 10
mixing = torch.linalg.qr(torch.randn(DIM, DIM)).Q  # how infrared changes a feature


def draw(people: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Infrared features, RGB features and identities of new people."""
    identity = torch.arange(people).repeat_interleave(IMAGES)
    person = torch.randn(people, DIM)[identity]
    infrared = (person + 0.9 * torch.randn_like(person)) @ mixing
    return infrared, person + 0.5 * torch.randn_like(person), identity


def mean_ap(adapter: nn.Module) -> float:
    with torch.no_grad():
        graph = sg.similarity_graph(adapter(query), gallery, k=9)
        d_sim = sg.SIM(num_paths=5, k_query=9, k_gallery=9)(graph)
    return sg.evaluate(d_sim, identity, identity, protocol="plain").mAP


query, gallery, identity = draw(40)
adapter = nn.Linear(DIM, DIM, bias=False)
optimizer = torch.optim.Adam(adapter.parameters(), lr=2e-2)
sgr = sg.SGR(num_paths=5)
print(f"before: SIM mAP {100 * mean_ap(adapter):5.2f}")
for _ in range(30):
    infrared, visible, person = draw(16)
    d_s = sgr(sg.similarity_graph(adapter(infrared), visible, k=9))  # [160, 160], with gradient
    same = person[:, None] == person
    # The nearest wrong image should be farther than the farthest correct one, by a margin.
    farthest = d_s.masked_fill(~same, 0).amax(1)
    nearest = d_s.masked_fill(same, torch.inf).amin(1)
    loss = (0.3 + farthest - nearest).clamp(min=0).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"after:  SIM mAP {100 * mean_ap(adapter):5.2f}")
