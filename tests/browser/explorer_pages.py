"""Explorer pages read back without a browser, and what Python computes from what they carry."""

import base64
import json
import re

import numpy as np
import torch

import simgraph as sg

PART = r'<script type="[\w/]+" id="{}">(.*?)</script>'


class Carried:
    """The data of a written page, decoded the obvious way."""

    def __init__(self, path):
        page = path.read_text(encoding="utf-8")
        parts = {
            name: re.search(PART.format(name), page, re.DOTALL)[1]
            for name in ("about", "thumbnails", "neighbors", "distances")
        }
        self.about = json.loads(parts["about"])
        self.thumbnails = json.loads(parts["thumbnails"])
        self.num_gallery = self.about["gallery"]["count"]
        self.d_qg = self._decode_rows(parts["distances"])
        self.d_gg = self._decode_neighbors(parts["neighbors"])

    def _decode_rows(self, text):
        form, rows = self.about["distances"], []
        for query in range(self.about["query"]["count"]):
            start = query * form["row_chars"]
            rows.append(self._decode_row(base64.b64decode(text[start : start + form["row_chars"]])))
        return torch.tensor(np.array(rows))

    def _decode_row(self, data):
        form = self.about["distances"]
        if form["candidates"] is not None:
            row = np.full(self.num_gallery, np.inf)
            index = np.frombuffer(data, "<u4", form["candidates"])
            row[index] = np.frombuffer(data, "<f4", offset=4 * form["candidates"])
            return row
        if form["bits"] == 32:
            return np.frombuffer(data, "<f4").astype(np.float64)
        levels = np.frombuffer(data, "<u2", self.num_gallery).astype(np.float64)
        return form["low"] + form["step"] * levels

    def _decode_neighbors(self, text):
        """D_gg, with 1e6 for images that are not among the carried neighbors."""
        data, n, k = base64.b64decode(text), self.num_gallery, self.about["k_max"]
        index = np.frombuffer(data, "<u4", n * k).reshape(n, k).astype(np.int64)
        d = np.full((n, n), 1e6)
        np.put_along_axis(d, index, np.frombuffer(data, "<f4", offset=4 * n * k).reshape(n, k), 1)
        return torch.tensor(d)

    def graph(self, queries, k, lam):
        """The similarity graph of some queries in float64."""
        rows, m = self.d_qg[list(queries)], self.about["distances"]["candidates"]
        finite = torch.where(torch.isfinite(rows), rows, 1e6)
        return sg.similarity_graph_from_distances(finite, self.d_gg, k=k, lam=lam, candidates=m)

    def all_stages(self, queries, **changes):
        """Distances of the four methods, each [n, Ng]."""
        p = {**self.about["parameters"], **changes}
        graph, direct = self.graph(queries, p["k"], p["lam"]), self.d_qg[list(queries)]
        mnnr = sg.MNNR(p["k_query"], p["k_gallery"], p["expand"])
        sim = sg.SIM(p["num_paths"], p["k_query"], p["k_gallery"], p["alpha"], p["expand"])
        return {
            "baseline": direct,
            "sgr": sg.SGR(p["num_paths"])(graph),
            "mnnr": p["alpha"] * direct + (1 - p["alpha"]) * mnnr(graph, direct),
            "sim": sim(graph),
        }

    def stages(self, query, **changes):
        """The same of one query, each [Ng]."""
        return {name: d[0].numpy() for name, d in self.all_stages([query], **changes).items()}

    def explanation(self, query, gallery, **changes):
        """What sg.explain says, as a dictionary."""
        p = {**self.about["parameters"], **changes}
        graph = self.graph([query], p.pop("k"), p.pop("lam"))
        return sg.explain(graph, 0, gallery, **p).to_dict()


def ranked(distances):
    """Gallery images by distance, ties to the lower index, without those that nothing reaches."""
    order = np.argsort(distances, kind="stable")
    return order[np.isfinite(distances[order])]
