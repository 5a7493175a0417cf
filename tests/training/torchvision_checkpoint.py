"""Random weights with the names and shapes of a torchvision checkpoint."""

import torch


def norm(name, channels):
    shapes = {f"{name}.{part}": [channels] for part in ("weight", "bias")}
    shapes |= {f"{name}.{part}": [channels] for part in ("running_mean", "running_var")}
    return shapes | {f"{name}.num_batches_tracked": []}


def expected_shapes(arch):
    """torchvision's names, by the rule of its ResNets, `fc` left out."""
    depths, expansion = {"resnet18": ((2, 2, 2, 2), 1), "resnet50": ((3, 4, 6, 3), 4)}[arch]
    shapes = {"conv1.weight": [64, 3, 7, 7]} | norm("bn1", 64)
    before = 64
    for stage, depth in enumerate(depths, start=1):
        width = 32 * 2**stage
        after = width * expansion
        for number in range(depth):
            block = f"layer{stage}.{number}"
            if expansion == 1:
                convs = [(width, before, 3), (width, width, 3)]
            else:
                convs = [(width, before, 1), (width, width, 3), (after, width, 1)]
            for i, (out, into, size) in enumerate(convs, start=1):
                shapes[f"{block}.conv{i}.weight"] = [out, into, size, size]
                shapes |= norm(f"{block}.bn{i}", out)
            if number == 0 and (stage > 1 or before != after):
                shapes[f"{block}.downsample.0.weight"] = [after, before, 1, 1]
                shapes |= norm(f"{block}.downsample.1", after)
            before = after
    return shapes


def checkpoint(arch, fc=True):
    """A made-up file of torchvision's names, every value its own."""
    generator = torch.Generator().manual_seed(0)
    state = {
        name: torch.rand(shape, generator=generator) if shape else torch.tensor(7)
        for name, shape in expected_shapes(arch).items()
    }
    if fc:
        width = 512 if arch == "resnet18" else 2048
        state |= {"fc.weight": torch.zeros(1000, width), "fc.bias": torch.zeros(1000)}
    return state
