"""Settings are read strictly: what YAML's reader takes in silence is refused by line."""

import time

import pytest
import yaml

from simgraph._yaml import read_yaml


def written(tmp_path, text):
    file = tmp_path / "a.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


GOOD = {
    "nothing": "",
    "a comment": "# nothing\n",
    "sections": "sim:\n  k: 4\n  alpha: .5\nmethods: [sim, sgr]\n",
    "an alias": "a: &x {k: 4}\nb: *x\n",
    "a merge key": "a: &x {k: 4, alpha: 1}\nb: {<<: *x, k: 5}\n",
    "the same key in two sections": "a: {k: 1}\nb: {k: 2}\n",
    "keys that look alike": "1: a\n'1': b\n",
    "a byte order mark": b"\xef\xbb\xbfa: 1\n",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_good_settings_are_those_of_the_plain_reader(tmp_path, text):
    assert read_yaml(written(tmp_path, text)) == yaml.safe_load(text)


LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
BAD = {
    "a key twice": ("k: 1\nalpha: 2\nk: 3\n", "'k' stands twice, in lines 1 and 3"),
    "a key twice in a line": ("sim: {k: 1, k: 1}", "'k' stands twice"),
    "a section twice": ("sim:\n  k: 1\nsim:\n  alpha: 1\n", "'sim' stands twice"),
    "an alias of itself": ("sim: &a {k: *a}\n", "line 1: .*alias of what it is in"),
    "aliases that multiply": (LAUGHS, "at most 100000 values"),
    "two documents": ("a: 1\n---\nb: 2\n", "single document"),
    "nested deep": ("sim: " + "[" * 10_000 + "]" * 10_000, "nested too deep"),
    "nested deep by dashes": ("sim:\n  " + "- " * 3000 + "1\n", "nested too deep"),
    "nested mappings": ("{sim: " * 10_000, "nested too deep"),
    "a long number": ("k: " + "9" * 10_000, "not valid YAML"),
    "a date that is none": ("k: 2001-99-99\n", "month"),
    "Latin-1": (b"# caf\xe9\nk: 1\n", "not valid YAML"),
    "UTF-16": ("k: 1\n".encode("utf-16"), "not valid YAML"),
    "an object": ("k: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
    "control characters": (b"k: \x01\n", "not valid YAML"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_bad_settings_are_refused_with_the_name_of_the_file(tmp_path, text, message):
    began = time.monotonic()
    with pytest.raises(ValueError, match=rf"(?s)a\.yaml: .*{message}"):
        read_yaml(written(tmp_path, text))
    assert time.monotonic() - began < 5
