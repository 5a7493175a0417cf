"""The embedding network: stems, zero padding, AGW, BNNeck, gradients, and that it can learn."""

import pytest
import torch

from simgraph.training import Backbone, BatchHardTriplet, adam, cross_entropy
from simgraph.training.backbone import GeMPooling, NonLocalBlock
from tests.training.torchvision_checkpoint import checkpoint

SIZE = (64, 32)
MIXED = torch.tensor([False, True, True, False, True])
OPTIONS = [
    {},
    {"stem": "two_stream"},
    {"zero_padding": True},
    {"agw": True},
    {"stem": "two_stream", "agw": True},
    {"zero_padding": True, "agw": True},
]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Images this small gain nothing from threads, and lose a lot where cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def small(seed=0, **options):
    torch.manual_seed(seed)
    return Backbone(4, arch="resnet18", **options)


def images(count, seed=0):
    return torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("options", OPTIONS)
def test_what_comes_out(options):
    model = small(**options)
    x, before = images(5), images(5)
    features, logits = model.train()(x, MIXED)
    assert features.shape == (5, 512) and logits.shape == (5, 4)
    retrieval = model.eval()(x, MIXED)
    assert retrieval.shape == (5, 512)
    assert torch.equal(x, before)


@pytest.mark.parametrize("agw", [False, True])
def test_resnet50(agw):
    model = Backbone(3, agw=agw).eval()
    with torch.no_grad():
        assert model(images(2), MIXED[:2]).shape == (2, model.feature_dim) == (2, 2048)
    blocks = ["layer2_2", "layer2_3", "layer3_3", "layer3_4", "layer3_5"]
    assert list(model.non_local) == (blocks if agw else [])


def test_training_features_stand_before_the_neck_and_logits_behind_it():
    model = small()
    seen = {}
    model.neck.register_forward_hook(lambda _, given, out: seen.update(given=given[0], out=out))
    features, logits = model(images(5), MIXED)
    assert torch.equal(features, seen["given"])
    assert torch.equal(logits, seen["out"] @ model.classifier.weight.T)
    model.eval()
    assert torch.equal(model(images(5), MIXED), seen["out"])
    assert not torch.allclose(seen["out"], seen["given"])


def test_the_neck_has_no_shift_and_the_classifier_no_bias():
    model = small()
    assert not model.neck.bias.requires_grad and not model.neck.bias.any()
    assert model.classifier.bias is None
    assert 0 < model.classifier.weight.std() < 0.002


def test_one_stream_does_not_look_at_the_modality():
    model = small().eval()
    assert torch.equal(model(images(5), MIXED), model(images(5), ~MIXED))


@pytest.mark.parametrize("options", [{"stem": "two_stream"}, {"zero_padding": True}])
def test_the_modality_counts_and_rows_keep_their_place(options):
    model = small(**options).eval()
    if options.get("stem"):
        model.infrared_stem.conv1.weight.data.mul_(-1)
    x = images(5)
    both = model(x, MIXED)
    alone = torch.cat([model(x[i : i + 1], MIXED[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(both, alone, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(both, model(x, ~MIXED), atol=1e-3)


@pytest.mark.parametrize("infrared", [True, False])
def test_a_batch_of_one_modality_leaves_the_other_stem_alone(infrared):
    model = small(stem="two_stream")
    features, logits = model(images(4), torch.full((4,), infrared))
    (features.sum() + logits.sum()).backward()
    used, other = model.infrared_stem, model.trunk
    if not infrared:
        used, other = other, used
    assert used.conv1.weight.grad.abs().sum() > 0
    assert other.conv1.weight.grad is None
    assert used.bn1.num_batches_tracked == 1 and other.bn1.num_batches_tracked == 0
    assert torch.isfinite(other.bn1.running_var).all()


@pytest.mark.parametrize("options", OPTIONS)
def test_gradients_reach_every_parameter(options):
    model = small(**options)
    # A closed non-local block passes no gradient to its inner layers: open it first.
    for block in model.non_local.values():
        torch.nn.init.ones_(block.bn.weight)
    features, logits = model(images(5), MIXED)
    loss = cross_entropy(logits, torch.tensor([0, 0, 1, 1, 2]))
    loss = loss + BatchHardTriplet()(features, torch.tensor([0, 0, 1, 1, 2]))
    loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and not name.endswith(("phi.bias", "w.bias")):
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all() and parameter.grad.any(), name


def test_stems_learn_from_their_own_modality_only():
    model = small(stem="two_stream").eval()
    x = images(5).requires_grad_()
    model(x, MIXED)[MIXED].square().sum().backward()
    assert model.trunk.conv1.weight.grad is None or not model.trunk.conv1.weight.grad.any()
    assert model.infrared_stem.conv1.weight.grad.any()
    assert not x.grad[~MIXED].any() and x.grad[MIXED].flatten(1).any(1).all()


def test_zero_padding_puts_gray_into_the_modalitys_channel():
    model = small(zero_padding=True)
    seen = []
    model.trunk.bn1.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    x = images(2)
    model.eval()(x, torch.tensor([False, True]))
    gray = 0.299 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2]
    padded = torch.zeros(2, 2, *SIZE)
    padded[0, 0], padded[1, 1] = gray[0], gray[1]
    torch.testing.assert_close(seen[0], model.trunk.conv1(padded))


@pytest.mark.parametrize("options", OPTIONS)
def test_torchvision_names_below_the_prefix(options):
    model = small(**options)
    state = checkpoint("resnet18")
    model.load_trunk(state)
    held = model.state_dict()
    for name in state.keys() - {"fc.weight", "fc.bias", "conv1.weight"}:
        assert torch.equal(held[f"trunk.{name}"], state[name]), name
    if not options.get("zero_padding"):
        assert torch.equal(held["trunk.conv1.weight"], state["conv1.weight"])
    if options.get("stem"):
        stem = {name for name in held if name.startswith("infrared_stem.")}
        assert len(stem) == 6
        for name in stem:
            assert torch.equal(held[name], state[name.removeprefix("infrared_stem.")])
    again = small(seed=1, **options)
    again.load_state_dict(held)
    assert all(torch.equal(held[name], value) for name, value in again.state_dict().items())


def test_zero_padded_weights_answer_to_gray_as_the_checkpoint_does():
    padded, plain = small(zero_padding=True), small()
    state = checkpoint("resnet18")
    padded.load_trunk(state)
    plain.load_trunk(state)
    assert torch.equal(state["conv1.weight"], checkpoint("resnet18")["conv1.weight"])
    gray = images(3)[:, :1].expand(-1, 3, -1, -1)
    infrared = MIXED[:3]
    zeros = torch.zeros(3, 1, *SIZE)
    x = torch.where(
        infrared[:, None, None, None],
        torch.cat([zeros, gray[:, :1]], 1),
        torch.cat([gray[:, :1], zeros], 1),
    )
    ours, theirs = padded.trunk.conv1(x), plain.trunk.conv1(gray)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_stems_start_equal_without_a_checkpoint_too():
    one, two = small().eval(), small(stem="two_stream").eval()
    two.load_state_dict(one.state_dict(), strict=False)
    stem = {n: v for n, v in one.trunk.state_dict().items() if n in two.infrared_stem.state_dict()}
    two.infrared_stem.load_state_dict(stem)
    torch.testing.assert_close(two(images(5), MIXED), one(images(5), MIXED), rtol=1e-3, atol=1e-4)
    fresh = small(stem="two_stream")
    assert torch.equal(fresh.trunk.conv1.weight, fresh.infrared_stem.conv1.weight)


def test_non_local_blocks_start_as_the_identity():
    block = NonLocalBlock(6)
    x = torch.randn(2, 6, 4, 3)
    assert torch.equal(block(x), x)


def test_a_non_local_block_by_loops():
    torch.manual_seed(0)
    block = NonLocalBlock(4).eval()
    torch.nn.init.ones_(block.bn.weight)
    x = torch.randn(1, 4, 2, 3)
    positions = x.flatten(2)[0].T
    theta, phi, g, w = (
        (conv.weight[:, :, 0, 0], conv.bias) for conv in (block.theta, block.phi, block.g, block.w)
    )
    out = []
    for xi in positions:
        y = torch.zeros(2)
        for xj in positions:
            pair = (theta[0] @ xi + theta[1]) @ (phi[0] @ xj + phi[1])
            y = y + pair / len(positions) * (g[0] @ xj + g[1])
        out.append(xi + (w[0] @ y + w[1]) / (1 + 1e-5) ** 0.5)
    torch.testing.assert_close(block(x), torch.stack(out).T.view_as(x))


def test_gem_lies_between_mean_and_maximum():
    x = torch.rand(2, 3, 4, 2)
    torch.testing.assert_close(GeMPooling(p=1.0)(x).flatten(1), x.mean((2, 3)))
    torch.testing.assert_close(GeMPooling(p=200.0)(x).flatten(1), x.amax((2, 3)), rtol=0.02, atol=0)
    expected = ((x[0, 0] ** 3).sum() / 8) ** (1 / 3)
    torch.testing.assert_close(GeMPooling()(x)[0, 0, 0, 0], expected)
    assert GeMPooling().p.requires_grad


def test_gem_in_half_precision_does_not_overflow_and_zeros_have_gradients():
    x = torch.full((1, 1, 2, 2), 100.0, dtype=torch.float16)
    assert GeMPooling()(x).item() == pytest.approx(100, rel=1e-3)
    zeros = torch.zeros(1, 1, 2, 2, requires_grad=True)
    pool = GeMPooling()
    pool(zeros).sum().backward()
    assert torch.isfinite(zeros.grad).all() and torch.isfinite(pool.p.grad).all()


@pytest.mark.parametrize("options", OPTIONS)
def test_mixed_precision(options):
    model = small(**options)
    with torch.autocast("cpu", torch.bfloat16):
        features, logits = model(images(5), MIXED)
    labels = torch.tensor([0, 0, 1, 1, 2])
    loss = cross_entropy(logits, labels) + BatchHardTriplet()(features, labels)
    loss.backward()
    assert loss.dtype == torch.float32 and torch.isfinite(loss)
    full, _ = small(**options)(images(5), MIXED)
    torch.testing.assert_close(features.float(), full, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 0}, "num_classes"),
        ({"num_classes": 2, "stem": "three"}, "stem"),
        ({"num_classes": 2, "arch": "vgg"}, "arch"),
        ({"num_classes": 2, "last_stride": 0}, "last_stride"),
        ({"num_classes": 2, "stem": "two_stream", "zero_padding": True}, "zero_padding"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Backbone(**options)


@pytest.mark.parametrize(
    ("x", "infrared", "message"),
    [
        (torch.zeros(2, 3, *SIZE, dtype=torch.uint8), MIXED[:2], "x: expected floating"),
        (torch.zeros(2, 1, *SIZE), MIXED[:2], "x: expected"),
        (torch.zeros(0, 3, *SIZE), MIXED[:0], "x: expected"),
        (torch.zeros(2, 3, *SIZE), MIXED, "infrared: expected one bool per image"),
        (torch.zeros(2, 3, *SIZE), torch.zeros(2), "infrared: expected one bool"),
    ],
)
def test_other_batches_are_refused(x, infrared, message):
    with pytest.raises(ValueError, match=message):
        small()(x, infrared)


@pytest.mark.parametrize("options", [{}, {"stem": "two_stream", "agw": True}])
def test_one_batch_is_learnt_by_heart(options):
    """P = 2 identities, two visible and two infrared images of each: near-zero loss."""
    model = small(**options)
    x, infrared = images(8), torch.tensor([False, False, True, True] * 2)
    labels = torch.arange(2).repeat_interleave(4)
    optimizer, triplet = adam(model.parameters(), lr=1e-3), BatchHardTriplet()
    losses = []
    for _ in range(60):
        features, logits = model(x, infrared)
        loss = cross_entropy(logits, labels) + triplet(features, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if losses[-1] < 0.01:
            break
    assert losses[0] > 0.5 and losses[-1] < 0.01
    assert torch.equal(model(x, infrared)[1].argmax(1), labels)


@pytest.mark.parametrize(
    "options", [{}, {"stem": "two_stream", "agw": True}, {"zero_padding": True}]
)
def test_a_narrow_network_has_every_option(options):
    model = Backbone(3, "resnet18", base_width=8, last_stride=2, **options)
    infrared = torch.tensor([True, False, True])
    features, logits = model(torch.randn(3, 3, 32, 16), infrared)
    assert features.shape == (3, model.feature_dim) == (3, 64) and logits.shape == (3, 3)
