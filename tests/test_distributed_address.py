"""Addresses of Ray clusters: one that nobody answers is refused soon, and Ray starts nothing."""

import socket
import time
from threading import Thread

import pytest
import torch

pytest.importorskip("ray")
from simgraph import distributed


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    """No Ray in this process; a start of Ray fails the test."""

    def start(**arguments):
        raise AssertionError("Ray was started")

    monkeypatch.setattr(distributed.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(distributed.ray, "init", start)
    monkeypatch.setattr(distributed, "_SECONDS_TO_ANSWER", 1)


def refused(address, error=ConnectionError, match="expected a running Ray cluster"):
    began = time.monotonic()
    with pytest.raises(error, match=match):
        distributed.rerank(
            torch.rand(4, 8), torch.rand(30, 8), k=5, num_paths=3, k_query=4, k_gallery=4,
            address=address,
        )  # fmt: skip
    assert time.monotonic() - began < 5


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address_of(server):
    return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_closed_port_is_refused(listener, scheme):
    address = address_of(listener)
    listener.close()
    refused(scheme + address, match="Connection refused")


def test_a_server_that_stays_silent_is_refused(listener):
    refused(address_of(listener), match=r"no answer within 1 s|timed out")


@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"no"])
def test_a_server_of_another_kind_is_refused(listener, words):
    def answer():
        with listener.accept()[0] as connection:
            connection.recv(33)
            connection.sendall(words)

    Thread(target=answer, daemon=True).start()
    refused(address_of(listener), match="the server there is not Ray's")


def test_a_name_server_that_never_answers_is_refused(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: time.sleep(20))
    refused("far.example:6379", match="no answer within 1 s")


def test_many_addresses_of_a_host_share_the_limit(monkeypatch, listener):
    family = (socket.AF_INET, socket.SOCK_STREAM, 6, "", listener.getsockname())
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: [family] * 50)
    monkeypatch.setattr(socket.socket, "connect", lambda *arguments: slow_refusal())
    refused("far.example:6379", match="no answer within 1 s")


def slow_refusal():
    time.sleep(0.1)
    raise TimeoutError("timed out")


@pytest.mark.parametrize(
    "address", ["", "host", "host:", ":6379", "host:x", "http://h:1", "h:1/x", "127.0.0.1:99999"]
)
def test_a_malformed_address_is_refused(address):
    refused(address, ValueError, "expected 'host:port'")


@pytest.mark.parametrize("address", [None, "auto", "local"])
def test_an_address_without_a_host_is_left_to_ray(address):
    refused(address, AssertionError, "Ray was started")
