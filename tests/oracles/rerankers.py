"""The other methods by loops over single images, from their papers: slow and obvious, in float64.

Each takes distances as nested arrays: d_qg, d_gg and, where it is transductive, d_qq.
"""

import numpy as np

# Parameters that fit some 12 images, and that differ from one another.
SMALL = {
    "k_reciprocal": {"k1": 4, "k2": 3, "lam": 0.3},
    "ecn": {"k": 5, "t": 2, "q": 3},
    "gnn": {"k1": 4, "k2": 3, "layers": 2},
    "gcr": {"k": 4, "beta": 0.2, "rounds": 2},
    "lbr": {"n": 5, "temperature": 0.3},
    "aim": {"k1": 4, "k2": 3},
    "alpha_qe": {"n": 4, "alpha": 3.0},
    "dba": {"k": 3},
    "diffusion": {"k": 4, "k_query": 3, "gamma": 3.0, "alpha": 0.9},
    "cmkr": {"part": "extended", "k1": 4, "k2": 3, "k3": 1, "lam": 0.3},
    "rank_sim": {"k": 3, "alpha": 0.3},
    "mser": {"k1": 4, "k2": 3, "lam": 0.3},
}


def joint(d_qg, d_gg, d_qq):
    """Distances among queries, then gallery images."""
    return np.block([[d_qq, d_qg], [d_qg.T, d_gg]])


def ranked(row, own=None):
    """Indices by distance, ties to the lower; the image itself first, whatever its distance."""
    order = sorted((j for j in range(len(row)) if j != own), key=lambda j: (row[j], j))
    return order if own is None else [own, *order]


def cosine(distance):
    return 1 - distance**2 / 2


def k_reciprocal(d_qg, d_gg, d_qq, k1, k2, lam):
    d = joint(d_qg, d_gg, d_qq) ** 2
    d = np.array([row / max(row.max(), 1e-300) for row in d])
    n, nq = len(d), len(d_qg)
    rank = [ranked(row, i) for i, row in enumerate(d)]

    def reciprocal(i, k):
        return {j for j in rank[i][: k + 1] if i in rank[j][: k + 1]}

    encoding = np.zeros((n, n))
    for i in range(n):
        members = reciprocal(i, k1)
        expanded = set(members)
        for c in members:
            theirs = reciprocal(c, round(k1 / 2))
            if len(theirs & members) > 2 / 3 * len(theirs):
                expanded |= theirs
        total = sum(np.exp(-d[i, j]) for j in expanded)
        for j in expanded:
            encoding[i, j] = np.exp(-d[i, j]) / total
    averaged = np.array([sum(encoding[j] for j in rank[i][:k2]) / k2 for i in range(n)])
    out = np.zeros(d_qg.shape)
    for q in range(nq):
        for g in range(n - nq):
            shared = sum(min(a, b) for a, b in zip(averaged[q], averaged[nq + g], strict=True))
            out[q, g] = lam * d[q, nq + g] + (1 - lam) * (1 - shared / (2 - shared))
    return out


def ecn(d_qg, d_gg, d_qq, k, t, q):
    d = joint(d_qg, d_gg, d_qq)
    n, nq = len(d), len(d_qg)
    rank = [ranked(row, i) for i, row in enumerate(d)]
    points = [{j: k - place for place, j in enumerate(rank[i][:k])} for i in range(n)]

    def likeness(i, j):
        return sum(p * points[j].get(m, 0) for m, p in points[i].items())

    def expanded(i):
        near = rank[i][1 : t + 1]
        return near + [j for m in near for j in rank[m][1 : q + 1]]

    largest = sum(p**2 for p in range(1, k + 1))
    out = np.zeros(d_qg.shape)
    for i in range(nq):
        for g in range(n - nq):
            found = [likeness(m, nq + g) for m in expanded(i)]
            found += [likeness(i, m) for m in expanded(nq + g)]
            mean = sum(found) / len(found)
            out[i, g] = 1 - mean / largest if mean > 0 else 1 + d_qg[i, g]
    return out


def gnn(d_qg, d_gg, d_qq, k1, k2, layers):
    d = joint(d_qg, d_gg, d_qq)
    n, nq = len(d), len(d_qg)
    rank = [ranked(row, i) for i, row in enumerate(d)]
    a = np.zeros((n, n))
    for i in range(n):
        a[i, rank[i][:k1]] = 1
    for _ in range(layers):
        both = a + a.T
        a = np.array(
            [
                sum((1 if j == i else cosine(d[i, j])) ** 2 * both[j] for j in rank[i][:k2])
                for i in range(n)
            ]
        )
        a /= np.linalg.norm(a, axis=1, keepdims=True)
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    return 1 - a[:nq] @ a[nq:].T


def lbr(d_qg, d_gg, d_qq, n, temperature):
    out = np.zeros(d_qg.shape)
    for q, row in enumerate(d_qg):
        order = ranked(row)
        for i in order[n:]:
            out[q, i] = 3 - cosine(row[i])
        for i in order[:n]:
            near = {j: 1.0 if j == i else cosine(d_gg[i, j]) for j in order[:n]}
            weight = {j: np.exp(s / temperature) for j, s in near.items()}
            blurred = sum(w * cosine(row[j]) for j, w in weight.items()) / sum(weight.values())
            out[q, i] = 1 - blurred
    return out


def aim(d_qg, d_gg, d_qq, k1, k2):
    n = len(d_gg)
    of_query = np.zeros(d_qg.shape)
    for q, row in enumerate(d_qg):
        for j in ranked(row)[:k1]:
            of_query[q, j] = cosine(row[j])
    rank = [ranked(row, i) for i, row in enumerate(d_gg)]
    of_gallery = np.zeros((n, n))
    for i in range(n):
        for j in rank[i][:k1]:
            of_gallery[i, j] = 1 if j == i else cosine(d_gg[i, j])
    averaged = np.array([of_gallery[rank[i][:k2]].mean(0) for i in range(n)])
    out = np.zeros(d_qg.shape)
    for q, a in enumerate(of_query):
        for g, b in enumerate(averaged):
            length = np.linalg.norm(a) * np.linalg.norm(b)
            alike = a @ b / length if length > 0 else 0
            out[q, g] = (1 - alike) + (1 - cosine(d_qg[q, g]))
    return out


def diffusion(d_qg, d_gg, d_qq, k, k_query, gamma, alpha):
    n = len(d_gg)
    rank = [ranked(row, i) for i, row in enumerate(d_gg)]
    w = np.zeros((n, n))
    for i in range(n):
        for j in rank[i][1:k]:
            if i in rank[j][1:k]:
                w[i, j] = max(0, cosine(d_gg[i, j])) ** gamma
    degree = w.sum(1)
    s = np.array(
        [
            [w[i, j] / np.sqrt(degree[i] * degree[j]) if w[i, j] > 0 else 0 for j in range(n)]
            for i in range(n)
        ]
    )
    inverse = np.linalg.inv(np.eye(n) - alpha * s)
    component = connected(w if alpha > 0 else 0 * w)
    out = np.zeros(d_qg.shape)
    for q, row in enumerate(d_qg):
        y = np.zeros(n)
        for j in ranked(row)[:k_query]:
            y[j] = max(0, cosine(row[j])) ** gamma
        reached = {component[j] for j in range(n) if y[j] > 0}
        f = inverse @ y
        for g in range(n):
            there = component[g] in reached
            out[q, g] = 1 - f[g] / f.max() if there else 1 + d_qg[q, g]
    return out


def rank_sim(d_qg, d_gg, d_qq, k, alpha):
    def code(order):
        return [1 / (1 + order.index(c)) if c in order[: k + 1] else 0 for c in range(len(d_gg))]

    of_query = [code(ranked(row)) for row in d_qg]
    of_gallery = [code(ranked(row, g)) for g, row in enumerate(d_gg)]
    out = np.zeros(d_qg.shape)
    for q, g in np.ndindex(out.shape):
        mean = sum(w * d for w, d in zip(of_gallery[g], d_qg[q], strict=True)) / sum(of_gallery[g])
        out[q, g] = alpha * mean + (1 - alpha) * jaccard(of_query[q], of_gallery[g])
    return out


def weights(members, d):
    """exp(−d̂) at the members of one row, of sum 1."""
    total = sum(np.exp(-d[j]) for j in members)
    return np.array([np.exp(-d[j]) / total if j in members else 0 for j in range(len(d))])


def jaccard(a, b):
    larger = sum(max(x, y) for x, y in zip(a, b, strict=True))
    return 1 - sum(min(x, y) for x, y in zip(a, b, strict=True)) / larger if larger > 0 else 1


def mser(d_qg, d_gg, d_qq, k1, k2, lam, views=1):
    d = joint(d_qg, d_gg, d_qq) ** 2
    d = np.array([row / max(row.max(), 1e-300) for row in d])
    nq = len(d_qg)
    rank = [ranked(row[:nq], i if i < nq else None) for i, row in enumerate(d)]
    codes = []
    for i in range(nq):
        members = {j for j in rank[i][: k1 + 1] if i in rank[j][: k1 + 1]}
        codes.append(weights(members, d[i, :nq]))
    averaged = [np.mean([codes[j] for j in row[:k2]], axis=0) for row in rank]
    out = np.zeros(d_qg.shape)
    for q, g in np.ndindex(out.shape):
        out[q, g] = lam * d[q, nq + g] + (1 - lam) * jaccard(averaged[q], averaged[nq + g])
    return out


def cmkr(d_qg, d_gg, d_qq, part, k1, k2, k3, lam):
    d = joint(d_qg, d_gg, d_qq) ** 2
    n, nq = len(d), len(d_qg)
    sides = range(nq), range(nq, n)
    for i in range(n):
        for columns in [range(n)] if part == "extended" else sides:
            d[i, columns] /= max(d[i, columns].max(), 1e-300)

    def nearest(i, columns):
        order = sorted((j for j in columns if j != i), key=lambda j: (d[i, j], j))
        return [i, *order] if i in columns else order

    rank = [nearest(i, range(n)) for i in range(n)]
    by_side = [[nearest(i, columns) for columns in sides] for i in range(n)]

    def listed(i, j, k):
        """Whether j is in i's list of j's modality."""
        same = (i < nq) == (j < nq)
        return j in by_side[i][int(j >= nq)][: k + 1 if same else k]

    def reciprocal(i, k):
        if part == "constrained":
            return {j for j in sides[1] if listed(i, j, k) and listed(j, i, k)}
        if part == "divided":
            return {j for j in range(n) if listed(i, j, k) and listed(j, i, k)}
        other = sides[int(i < nq)]
        return {j for j in rank[i][: k + 1] if i in rank[j][: k + 1]} | {
            j for j in other if listed(i, j, k) and listed(j, i, k)
        }

    codes = []
    for i in range(n):
        members = reciprocal(i, k1)
        expanded = set(members)
        for c in members:
            theirs = reciprocal(c, round(k1 / 2))
            if len(theirs & members) > 2 / 3 * len(theirs):
                expanded |= theirs
        codes.append(weights(expanded, d[i]))

    def averaged(i):
        queries, gallery = by_side[i]
        if part == "divided":
            among = queries[:k2] + gallery[:k2]
        elif part == "extended":
            among = queries[: k2 - k3] + gallery[:k3]
        else:
            among = gallery[:k2] if i >= nq else [i, *gallery[: k2 - 1]]
        return np.mean([codes[j] for j in among], axis=0) if among else 0 * codes[i]

    mean = [averaged(i) for i in range(n)]
    out = np.zeros(d_qg.shape)
    for q, g in np.ndindex(out.shape):
        out[q, g] = lam * d[q, nq + g] + (1 - lam) * jaccard(mean[q], mean[nq + g])
    return out


def connected(w):
    """The lowest index that each node is connected with."""
    label = list(range(len(w)))
    for _ in w:
        for i, j in zip(*np.nonzero(w), strict=True):
            label[i] = label[j] = min(label[i], label[j])
    return label


# --- Those that compute with features ---------------------------------------------------------


def unit(x):
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return x / np.where(length > 0, length, 1)


def distances(x, y):
    """Float64 distances from the differences."""
    return np.sqrt(((np.asarray(x)[:, None] - np.asarray(y)[None]) ** 2).sum(2))


def gcr(query, gallery, k, beta, rounds):
    x = np.concatenate([query, gallery])
    n = len(x)
    for _ in range(rounds):
        d = distances(x, x)
        s = np.zeros((n, n))
        for i in range(n):
            for j in ranked(d[i], i)[:k]:
                s[i, j] = np.exp(x[i] @ x[j] / beta)
        by_row, by_column = s.sum(1), s.sum(0)
        x = unit(
            np.array(
                [
                    sum(s[i, j] / np.sqrt(by_row[i] * by_column[j]) * x[j] for j in range(n))
                    for i in range(n)
                ]
            )
        )
    return distances(x[: len(query)], x[len(query) :])


def alpha_qe(query, gallery, n, alpha):
    d = distances(query, gallery)
    expanded = [
        unit(x + sum(max(0, cosine(row[j])) ** alpha * gallery[j] for j in ranked(row)[:n]))
        for x, row in zip(query, d, strict=True)
    ]
    return distances(expanded, gallery)


def dba(query, gallery, k):
    d = distances(gallery, gallery)
    augmented = [
        unit(
            sum(
                ((k - r) / k if k else 1) * gallery[j]
                for r, j in enumerate(ranked(d[i], i)[: k + 1])
            )
        )
        for i in range(len(gallery))
    ]
    return distances(query, augmented)


FROM_DISTANCES = {
    "k_reciprocal": k_reciprocal, "ecn": ecn, "gnn": gnn, "lbr": lbr, "aim": aim,
    "diffusion": diffusion, "cmkr": cmkr, "mser": mser, "rank_sim": rank_sim,
}  # fmt: skip
FROM_FEATURES = {"gcr": gcr, "alpha_qe": alpha_qe, "dba": dba}


def by_loops(method, query, gallery, **params):
    """Distances [Nq, Ng] of one method, from features as they are."""
    if method in FROM_FEATURES:
        return FROM_FEATURES[method](np.asarray(query), np.asarray(gallery), **params)
    pairs = (query, gallery), (gallery, gallery), (query, query)
    return FROM_DISTANCES[method](*(distances(x, y) for x, y in pairs), **params)
