"""Signatures read from source are those of the functions."""

import inspect

import pytest

from simgraph.rerankers import METHODS, NAMES, parameters
from simgraph.rerankers.signatures import method_parameters, method_signature


@pytest.mark.parametrize("method", NAMES)
def test_a_signature_read_from_source_is_that_of_the_function(method):
    read, run = method_signature(method), METHODS[method].run
    called = list(inspect.signature(run).parameters.values())[2:]
    assert read.defaults == {p.name: p.default for p in called}
    assert [type(value) for value in read.defaults.values()] == [type(p.default) for p in called]
    assert read.annotations == {p.name: p.annotation for p in called}
    assert read.summary == inspect.getdoc(run).partition("\n")[0]
    assert method_parameters(method) == parameters(method)


def test_the_names_are_those_of_the_methods():
    assert tuple(METHODS) == NAMES


def test_a_method_that_is_not_defined_is_an_error():
    with pytest.raises(ValueError, match="expected the function sparse, found none"):
        method_signature("sparse")
