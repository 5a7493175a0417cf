"""The trunk: torchvision's names and shapes, and what a checkpoint must hold."""

import pytest
import torch

from simgraph.training.resnet import ResNet
from tests.training.torchvision_checkpoint import checkpoint, expected_shapes


@pytest.mark.parametrize(("arch", "entries"), [("resnet18", 120), ("resnet50", 318)])
def test_names_and_shapes_are_torchvisions(arch, entries):
    with torch.device("meta"):  # shapes only
        net = ResNet(arch)
    shapes = {name: list(value.shape) for name, value in net.state_dict().items()}
    assert shapes == expected_shapes(arch)
    # torchvision's models have 122 and 320 entries with fc.
    assert len(shapes) == entries


@pytest.mark.parametrize(
    ("arch", "fc"), [("resnet18", True), ("resnet18", False), ("resnet50", True)]
)
def test_checkpoint_round_trip(arch, fc):
    state = checkpoint(arch, fc)
    net = ResNet(arch)
    net.load_torchvision(state)
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    net.load_torchvision(net.state_dict())


def test_old_checkpoints_without_batch_counts_load():
    state = checkpoint("resnet18")
    old = {name: value for name, value in state.items() if "num_batches" not in name}
    net = ResNet("resnet18")
    net.load_torchvision(old)
    assert torch.equal(net.layer4[1].bn2.running_var, state["layer4.1.bn2.running_var"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("layer3.0.conv2.weight"), "1 missing .such as layer3.0.conv2.weight"),
        (lambda s: s.update({"fc2.weight": torch.zeros(1)}), "1 unknown .such as fc2.weight"),
        (lambda s: s.update({"bn1.bias": torch.zeros(3)}), r"bn1.bias \[3\] in place of \[64\]"),
    ],
)
def test_other_checkpoints_are_refused_and_change_nothing(change, message):
    state = checkpoint("resnet18")
    change(state)
    net = ResNet("resnet18")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        net.load_torchvision(state)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_another_architecture_is_refused():
    with pytest.raises(ValueError, match="torchvision's resnet18"):
        ResNet("resnet18").load_torchvision(checkpoint("resnet50"))


@pytest.mark.parametrize(("last_stride", "size"), [(1, (4, 2)), (2, (2, 1))])
@pytest.mark.parametrize(("arch", "channels"), [("resnet18", 512), ("resnet50", 2048)])
def test_size_of_the_feature_map(arch, channels, last_stride, size):
    with torch.device("meta"):
        net = ResNet(arch, last_stride)
        assert net(torch.zeros(1, 3, 64, 32)).shape == (1, channels, *size)
    assert net.out_channels == channels


def test_the_stride_of_a_bottleneck_is_on_its_3x3():
    block = ResNet("resnet50").layer2[0]
    assert (block.conv1.stride, block.conv2.stride) == ((1, 1), (2, 2))


def test_a_block_by_hand():
    """One BasicBlock with a projection, in functional form."""
    block = ResNet("resnet18").layer2[0].eval()
    x = torch.randn(2, 64, 8, 6)

    def bn(y, layer):
        mean, var, weight, bias = (
            t[:, None, None]
            for t in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
        )
        return (y - mean) / (var + 1e-5).sqrt() * weight + bias

    conv = torch.nn.functional.conv2d
    y = bn(conv(x, block.conv1.weight, stride=2, padding=1), block.bn1).relu()
    y = bn(conv(y, block.conv2.weight, padding=1), block.bn2)
    shortcut = bn(conv(x, block.downsample[0].weight, stride=2), block.downsample[1])
    torch.testing.assert_close(block(x), (y + shortcut).relu())


@pytest.mark.parametrize(("arch", "expansion"), [("resnet18", 1), ("resnet50", 4)])
def test_the_base_width_scales_every_stage(arch, expansion):
    narrow, usual = ResNet(arch, base_width=8).eval(), ResNet(arch).state_dict()
    assert narrow.out_channels == 64 * expansion
    assert narrow(torch.randn(1, 3, 32, 16)).shape == (1, 64 * expansion, 2, 1)
    for name, value in narrow.state_dict().items():
        # The image's three channels and the sides of a kernel are no widths.
        for own, full, axis in zip(value.shape, usual[name].shape, range(4), strict=False):
            kept = axis > 1 or (axis == 1 and name == "conv1.weight")
            assert full == (own if kept else 8 * own)


@pytest.mark.parametrize("bad", [{"arch": "resnet34"}, {"last_stride": 3}, {"base_width": 0}])
def test_unknown_options_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        ResNet(**bad)
