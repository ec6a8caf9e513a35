"""Generator terms: what is added to the generator's loss beside the critic's judgement."""

from __future__ import annotations

from textgan.methods.method import ON_OTHERS, Method, Refusal, Source, refusing
from textgan.methods.papers import IMPROVED, SEQGAN, TEACHER

AT_ONE = Refusal("generator.temperature=0.5", "it knows the softmax at temperature 1; Gumbel relaxations are exempt")
UNREAD = refusing(
    "a net that writes all at once gives no likelihood",
    "generator.net=upsampling",
    "generator.net=paper",
    "generator.net=transformer",
)

TERMS = (
    Method(
        "count_critic",
        "the n-grams of the corpus: a critic that is counted, not trained",
        "reward of a window w: min(½ log2((P(w) + Q(w)) / 2 Q(w)), clip); loss -mean over rows and positions of "
        "Σ_v p(v) R(v), R(v) the mean over n of the summed rewards of the windows with v in place",
        select=("count_critic.weight=1",),
        notes="P counts the corpus, Q what the generator drew, forgetting exponentially. Sees n-grams only.",
        refused=(
            AT_ONE,
            Refusal("generator.relaxation=straight_through_argmax", "it draws no symbols, which this counts"),
            Refusal("count_critic.orders=[]", "there must be n-grams to count"),
            *ON_OTHERS,
        ),
    ),
    Method(
        "feature_matching",
        "mean features of real samples, for the generator to meet",
        "|E f(x) - E f(g)|²",
        (Source(IMPROVED, "section 3.1"),),
        ("feature_matching.weight=1",),
        notes="Set game.weight=0 to match features alone, as in the paper. Its code takes the mean absolute "
        "difference.",
        refused=(
            Refusal("critic.net=none", "it matches a critic's features"),
            Refusal("generator.relaxation=reinforce", "no gradient goes through the sample"),
        ),
    ),
    Method(
        "likelihood",
        "maximum likelihood, of nets that write symbol by symbol",
        "-(1/N) Σ log p(x_t | x_1 .. x_t-1, z)",
        (Source(TEACHER), Source(SEQGAN, "section 4, its baseline")),
        ("likelihood.weight=1", "generator.net=recurrent"),
        notes="Each row has a noise z of its own, so this bounds -log E_z p from above; alone it teaches a generator "
        "to do without its noise.",
        refused=(
            *UNREAD,
            AT_ONE,
            *ON_OTHERS,
        ),
    ),
    Method(
        "window_likelihood",
        "likelihood of real windows under the generator's own, early on",
        "-(1/(n M)) Σ_m log((1/K) Σ_k Π_j p_kj(x_mj))",
        select=("window_likelihood.weight=0.1",),
        notes="M real and K generated windows of n symbols.",
        refused=(
            AT_ONE,
            Refusal("window_likelihood.order=1000", "a window must fit into a sample"),
            Refusal("corpus.label_column=@file", "a labelled corpus; it would mix the labels"),
            *ON_OTHERS,
        ),
    ),
)
