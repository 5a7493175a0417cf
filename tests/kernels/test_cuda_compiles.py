"""The triton kernels compile to machine code of CUDA cards, which takes no card."""

import os

import pytest

triton = pytest.importorskip("triton", reason="triton is not installed: make test-triton")

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from simgraph.kernels import cuda  # noqa: E402

pytestmark = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") == "1", reason="interpreted in this process"
)

SIGNATURES = {
    "_mean_k_shortest": {
        "direct": "*value", "legs": "*value", "neighbors": "*i64", "weight": "*value",
        "targets": "*i64", "out": "*value", "num_queries": "i32", "degree": "i32",
        "num_paths": "i32", "PATHS": 32, "LANES": cuda._LANES,
    },
    "_count": {
        "shared": "*value", "nearest": "*i64", "reached": "*i64", "ptr": "*i64", "owner": "*i64",
        "num_gallery": "i32", "k_query": "i32", "ENTRIES": cuda._ENTRIES,
    },
    "_fuse": {
        "d": "*value", "out": "*value", "reached": "*i64", "size": "*i64", "weights": "*value",
        "num_gallery": "i32", "COLUMNS": cuda._COLUMNS,
    },
}  # fmt: skip


@pytest.mark.parametrize("capability", [75, 80, 90])
@pytest.mark.parametrize("value", ["fp32", "fp64"])
@pytest.mark.parametrize("name", SIGNATURES)
def test_a_kernel_compiles(name, value, capability):
    given = SIGNATURES[name]
    constants = {key: kind for key, kind in given.items() if isinstance(kind, int)}
    signature = {
        key: "constexpr" if key in constants else kind.replace("value", value)
        for key, kind in given.items()
    }
    source = ASTSource(getattr(cuda, name), signature, constexprs=constants)
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32))
    assert f".target sm_{capability}" in compiled.asm["ptx"]
    assert len(compiled.asm["cubin"]) > 0
